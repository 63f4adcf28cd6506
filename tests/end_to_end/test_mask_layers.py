"""Tissue and lesions in folders of their own, as classes of one model: from training to the scores."""

import json
import shutil

import cv2
import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import write_phantom_dataset

CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
base_kernels = [3, 3]
num_layers = 3
num_classes = 3
learning_rate = 0.003
loss = "dice + categorical_crossentropy"
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
epochs = 2
batch_size = 4
epoch_change_infer = false
precision = "float32"
cache_dir = "cache"
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
[infer]
images_dir = "dataset/test/images"
output_dir = "predicted"
[evaluate]
bootstrap_samples = 50
[mask]
rgb_map = {"0,0,0" = 0, "128,128,128" = 1, "255,0,0" = 2}
layers = {masks_lesions = {"0,0,0" = 0, "255,255,255" = 2}}
ignore = "#0000ff"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, flexunet):
    """Phantoms: bright tissue in `masks`, lesions in `masks_lesions`; one training film has lesions alone."""
    folder = tmp_path_factory.mktemp("layers")
    splits = {"train": 0.5, "valid": 0.25, "test": 0.25}
    write_phantom_dataset(folder / "dataset", patients=6, splits=splits, width=64, height=56)
    for split in splits:
        (folder / "dataset" / split / "masks_lesions").mkdir()
        for path in sorted(folder.glob(f"dataset/{split}/masks/*.png")):
            lesions = read_mask(path, ColorMap.binary()) * np.uint8(255)
            if lesions.any():
                cv2.imwrite(str(path.parents[1] / "masks_lesions" / path.name), lesions)
            grey = read_image(path.parents[1] / "images" / path.name, 1)[..., 0]
            cv2.imwrite(str(path), np.where(grey > grey.mean(), np.uint8(128), np.uint8(0)))
    lesion = sorted(folder.glob("dataset/train/masks_lesions/*.png"))[0]
    (folder / "dataset/train/masks" / lesion.name).unlink()
    (folder / "config.toml").write_text(CONFIG)
    flexunet("train", folder / "config.toml")
    return folder


def test_one_model_is_scored_on_tissue_and_lesions(project, flexunet):
    scores = json.loads(flexunet("evaluate", project / "config.toml", "--json").stdout)
    expected = np.zeros(3, int)
    for path in project.glob("dataset/test/masks/*.png"):
        mask = (read_mask(path, ColorMap({(0, 0, 0): 0, (128, 128, 128): 1}))).copy()
        lesions = path.parents[1] / "masks_lesions" / path.name
        if lesions.is_file():
            mask[read_mask(lesions, ColorMap.binary()) > 0] = 2
        expected += np.bincount(mask.ravel(), minlength=3)
    assert (expected > 0).all()
    assert np.sum(scores["confusion"], axis=1).tolist() == expected.tolist()
    flexunet("infer", project / "config.toml")
    command = ("--truth", project / "dataset/test/masks", "--prediction", project / "predicted", "--json")
    scored = json.loads(flexunet("score", *command, "--config", project / "config.toml").stdout)
    assert scored["confusion"] == scores["confusion"]


def test_copies_are_written_as_one_mask(project, flexunet, tmp_path):
    shutil.copytree(project / "dataset", tmp_path / "dataset")
    images = tmp_path / "dataset/train/images"
    for image in images.glob("*.png"):
        if not (images.parent / "masks" / image.name).is_file():
            image.unlink()  # augment wants a mask of every image
    (project / "copies.toml").write_text(CONFIG + "[augmentor]\nvflip = true\n")
    flexunet("augment", tmp_path / "dataset", tmp_path / "copies", "--config", project / "copies.toml")
    colors = ColorMap({(0, 0, 0): 0, (128, 128, 128): 1, (255, 0, 0): 2}, (0, 0, 255))
    compared = 0
    for path in (images.parent / "masks_lesions").glob("*.png"):
        copies = list((tmp_path / "copies/train/masks").glob(f"vflip*{path.stem}.png"))
        for copy in copies:
            lesions = read_mask(path, ColorMap.binary())
            assert np.array_equal(read_mask(copy, colors)[::-1] == 2, lesions > 0)
            compared += 1
    assert compared
