"""A data set with ignored pixels, from the audit to the scores: they count nowhere, and nothing breaks."""

import json

import cv2
import numpy as np
import pytest

from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.evaluation.scores.pixels import confusion_matrix

CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
base_kernels = [3, 3]
num_layers = 3
learning_rate = 0.003
dropout_rate = 0.0
{model}
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
epochs = 2
batch_size = 4
epoch_change_infer = false
precision = "float32"
cache_dir = "cache"
{train}
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
[infer]
images_dir = "dataset/test/images"
output_dir = "masks"
postprocess = "run"
threshold = "run"
[evaluate]
bootstrap_samples = 50
[mask]
ignore = 128
rgb_map = {colors}
[random_transform]
enabled = true
cutmix_probability = 1.0
lesion_paste_probability = 1.0
rotation_probability = 1.0
"""
BINARY = '{"0,0,0" = 0, "255,255,255" = 1}'
THREE = '{"0,0,0" = 0, "255,255,255" = 1, "0,0,255" = 2}'
WAYS = {
    "whole": (
        'num_classes = 3\nloss = "dice + component_dice + component_crossentropy"\ndeep_supervision = true\n'
        'metrics = ["dice_coef_foreground", "accuracy"]',
        'monitor = "val_dice_per_image_mean"\nlesion_share = 0.5',
        THREE,
    ),
    "crops": ('num_classes = 1\nloss = "bce_dice_loss"', 'crop = "random"\nlesion_share = 0.5', BINARY),
}


@pytest.fixture(scope="module", params=WAYS)
def project(request, tmp_path_factory, flexunet):
    """A run on phantoms whose masks have a grey band over their left quarter, and its scores."""
    folder = tmp_path_factory.mktemp(request.param)
    write_phantom_dataset(
        folder / "dataset",
        patients=6,
        splits={"train": 0.5, "valid": 0.25, "test": 0.25},
        width=64,
        height=56,
    )
    for path in folder.glob("dataset/*/masks/*.png"):
        mask = read_mask(path, ColorMap.binary()) * np.uint8(255)
        mask[:, :16] = 128
        cv2.imwrite(str(path), mask)
    model, train, colors = WAYS[request.param]
    (folder / "config.toml").write_text(CONFIG.format(model=model, train=train, colors=colors))
    flexunet("train", folder / "config.toml")
    scores = json.loads(flexunet("evaluate", folder / "config.toml", "--json").stdout)
    return folder, scores


def test_training_takes_finite_steps(project):
    folder, _ = project
    history = json.loads((folder / "history.json").read_text())
    figures = history["epochs"] if isinstance(history, dict) and "epochs" in history else history
    assert "nan" not in json.dumps(figures).lower()


def test_the_scores_are_those_of_the_other_pixels(project, flexunet):
    folder, scores = project
    masks = sorted(folder.glob("dataset/test/masks/*.png"))
    assert np.sum(scores["confusion"]) == len(masks) * 56 * 48
    assert scores["probability"]["all_pixels"]["pixels"] == len(masks) * 56 * 48
    classes = len(scores["confusion"])
    colors = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1, (0, 0, 255): 2}, (128, 128, 128))
    flexunet("infer", folder / "config.toml")
    expected = 0
    for path in masks:
        truth, mask = read_mask(path, colors), read_mask(folder / "masks" / path.name, colors)
        assert (truth == IGNORED).sum() == 56 * 16
        expected = expected + confusion_matrix(truth[:, 16:], mask[:, 16:], classes)
    assert np.array_equal(scores["confusion"], expected)
    fitted = json.loads((folder / "calibration.json").read_text())
    assert fitted["postprocess"]["threshold"] == fitted["threshold"]


def test_masks_are_scored_stats_counted_and_the_audit_knows_the_colour(project, flexunet):
    folder, scores = project
    flexunet("infer", folder / "config.toml")
    command = ("--truth", folder / "dataset/test/masks", "--prediction", folder / "masks", "--json")
    scored = json.loads(flexunet("score", *command, "--config", folder / "config.toml").stdout)
    assert scored["confusion"] == scores["confusion"]
    stats = flexunet("stats", folder / "dataset", "--config", folder / "config.toml", "--json")
    for split in json.loads(stats.stdout)["splits"].values():
        assert split["ignored_share_of_pixels"] == pytest.approx(0.25)
        assert len(split["class_share_of_pixels"]) == len(scores["confusion"])
    audit = flexunet("audit", folder / "dataset", "--config", folder / "config.toml", "--json", check=False)
    codes = {finding["code"] for finding in json.loads(audit.stdout)["findings"]}
    assert not codes & {"mask-off-map", "unreadable-mask", "mask-full", "mask-misplaced"}, codes
    plain = folder / "plain.toml"
    plain.write_text((folder / "config.toml").read_text().replace("ignore = 128", ""))
    audit = flexunet("audit", folder / "dataset", "--config", plain, "--json", check=False)
    assert "mask-off-map" in {finding["code"] for finding in json.loads(audit.stdout)["findings"]}


def test_copies_keep_them(project, flexunet, tmp_path):
    folder, _ = project
    config = (folder / "config.toml").read_text() + "[augmentor]\nhflip = true\n"
    (folder / "copies.toml").write_text(config)
    flexunet("augment", folder / "dataset", tmp_path / "copies", "--config", folder / "copies.toml")
    colors = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1}, (128, 128, 128))
    flipped = sorted(tmp_path.glob("copies/train/masks/hflip*.png"))
    assert flipped
    for path in flipped:
        mask = read_mask(path, colors)
        assert (mask[:, 48:] == IGNORED).all()
        assert not (mask[:, :48] == IGNORED).any()
