"""The published MIAS project: its map says (0, 255, 0), its masks hold (0, 128, 0); from check to score."""

import json

import numpy as np
import pytest

from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset

PUBLISHED = """; train_eval_infer.config
[model]
model          = "TensorFlowFlexUNet"
generator      =  False
image_width    = 32
image_height   = 32
image_channels = 3
num_classes    = 3
base_filters   = 4
base_kernels   = (5,5)
num_layers     = 3
dropout_rate   = 0.04
dilation       = (2,2)
learning_rate  = 0.001
loss           = "categorical_crossentropy"
metrics        = ["dice_coef_multiclass"]

[dataset]
class_name    = "ImageCategorizedMaskDataset"

[train]
epochs        = 1
batch_size    = 2
steps_per_epoch  = 4
metrics       = ["dice_coef_multiclass", "val_dice_coef_multiclass"]
model_dir     = "./models/"
eval_dir      = "./eval/"
images_dir    = "./dataset/train/images/"
masks_dir     = "./dataset/train/masks/"
save_weights_only  = True

[valid]
images_dir = "./dataset/valid/images/"
masks_dir  = "./dataset/valid/masks/"

[test]
images_dir = "./dataset/test/images/"
masks_dir  = "./dataset/test/masks/"

[infer]
images_dir    = "./dataset/test/images/"
output_dir    = "./mini_test_output/"

[mask]
mask_datatyoe    = "categorized"
mask_file_format = ".png"
rgb_map = {(0,0,0):0,(0, 255, 0):1, (255, 0, 0):2, }

[augmentor]
angles   = [90. 180, 270,]

[deformation]
alpah     = 1300
"""


@pytest.fixture
def project(tmp_path):
    """A project with masks of two classes, one of them in a darker green than its map has."""
    write_phantom_dataset(tmp_path / "dataset", patients=8, width=48, height=48, mass_share=1.0)
    for number, path in enumerate(sorted((tmp_path / "dataset").glob("*/masks/*.png"))):
        lesion = read_image(path, channels=1)[..., 0] > 0
        colour = (0, 128, 0) if number % 2 else (255, 0, 0)
        write_image(path, (lesion[..., None] * np.array(colour)).astype(np.uint8))
    file = tmp_path / "train_eval_infer.config"
    file.write_text(PUBLISHED)
    return file


def test_the_published_project_runs_with_a_note_on_its_colours(project, flexunet):
    note = "(0, 128, 0) for (0, 255, 0), class 1"
    folder = project.parent
    [verdict] = json.loads(flexunet("config", "check", project, "--json").stdout)
    assert verdict["usable"]
    audit = json.loads(flexunet("audit", folder / "dataset", "--config", project, "--json").stdout)
    assert any(note in finding["explanation"] for finding in audit["findings"])
    assert note in flexunet("train", project).stderr

    flexunet("evaluate", project)
    scores = json.loads((folder / "evaluation/scores.json").read_text())
    tests = sorted((folder / "dataset/test/masks").iterdir())
    assert scores["images"] == len(tests)
    # Both classes were found in the true masks.
    assert all(sum(row) > 0 for row in scores["confusion"])

    flexunet("infer", project)
    predicted = folder / "mini_test_output"
    assert [path.name for path in sorted(predicted.glob("*.png"))] == [path.name for path in tests]
    # The masks of `infer` have the colours of the map, and are scored against those of the project.
    answer = flexunet("score", "--truth", folder / "dataset/test/masks", "--prediction", predicted, "--json")
    assert "(0, 0, 0): 0, (0, 128, 0): 1, (255, 0, 0): 2" in answer.stderr
    again = json.loads(answer.stdout)
    assert again["confusion"] == scores["confusion"]
