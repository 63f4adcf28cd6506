"""Images of four channels, by the keys of the published multimodal projects: trained, scored, predicted."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import flexunet
from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ImageError, ShapeError
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.predictor import Predictor

COLORS = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2, (0, 0, 255): 3})
CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 4
num_classes = 4
base_filters = 4
base_kernels = (3,3)
num_layers = 3
loss = "categorical_crossentropy"
metrics = ["dice_coef_multiclass"]
[train]
epochs = 1
batch_size = 4
images_dir = "./train/images/"
masks_dir = "./train/masks/"
[valid]
images_dir = "./valid/images/"
masks_dir = "./valid/masks/"
[test]
images_dir = "./test/images/"
masks_dir = "./test/masks/"
[infer]
images_dir = "./test/images/"
output_dir = "./predicted/"
npy_slice_index =3
npy_slices_dir = "./slices/"
[image]
color_order = "RGB"
file_format = "NPY"
[random_transform]

rotation = (-20, 20)
[mask]
rgb_map = {(0,0,0):0,(255,0,0):1, (0,255,0):2,(0,0,255):3,}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A lesion of class c is bright in channel c."""
    root = tmp_path_factory.mktemp("channels")
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("valid", 4), ("test", 3)):
        for folder in ("images", "masks"):
            (root / split / folder).mkdir(parents=True)
        for number in range(count):
            mask = np.zeros((32, 32), np.uint8)
            label = 1 + number % 3
            mask[8:18, 5 + number : 15 + number] = label
            image = random.integers(20, 60, (32, 32, 4)).astype(np.uint8)
            image[mask > 0, label] += 150
            write_image(root / split / "images" / f"{split}{number}.npy", image)
            write_mask(root / split / "masks" / f"{split}{number}.png", mask, COLORS)
    (root / "run.config").write_text(CONFIG)
    config = load_config(root / "run.config")
    flexunet.train(config)
    return root, config


def test_a_run_of_four_channels(project):
    root, config = project
    evaluation = flexunet.evaluate(config)
    assert evaluation.scores.images == 3
    result = infer_folder(config)
    assert result.failures == {}
    assert [path.name for path in result.mask_paths] == ["test0.png", "test1.png", "test2.png"]
    for name in ("test0", "test1"):
        image = read_image(root / "test" / "images" / f"{name}.npy", None)
        shown = read_image(root / "slices" / f"{name}.png", None)
        assert np.array_equal(shown[..., 0], image[..., 3])
        assert read_image(root / "predicted_overlay" / f"{name}.png", None).shape == (32, 32, 3)
    told = json.loads((root / "evaluation" / "scores.json").read_text())
    assert told["images"] == 3


def test_another_number_of_channels_is_refused_by_name(project, tmp_path):
    _, config = project
    predictor = Predictor.load(config)
    with pytest.raises(ShapeError, match=r"\(height, width, 4\), found \(32, 32, 3\)"):
        predictor(np.zeros((32, 32, 3), np.uint8))
    write_image(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ImageError, match=r"a\.png has 3 channels; expected 4"):
        predictor.predict(tmp_path / "a.png")
    result = infer_folder(config, inputs=[tmp_path], predictor=predictor)
    assert "found (32, 32, 3)" in result.failures[tmp_path / "a.png"]


def test_a_plan_takes_the_channels_of_the_images(project, tmp_path):
    root, _ = project
    answer = CliRunner().invoke(app, ["init", str(root), "--out", str(tmp_path / "planned.toml")])
    assert answer.exit_code == 0, answer.output
    assert "image_channels = 4" in (tmp_path / "planned.toml").read_text()
