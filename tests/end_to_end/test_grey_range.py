"""A film of 12 bits in a 16-bit file gives what the same film of 8 bits gives, in every command."""

import json
import shutil

import numpy as np
import pytest

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset, write_raw_phantoms

CONFIG = """
[model]
model = "flexunet"
image_width = 32
image_height = 32
image_channels = 1
num_classes = 2
base_filters = 4
num_layers = 3
learning_rate = 0.005

[train]
images_dir = "DATA/train/images"
masks_dir = "DATA/train/masks"
run_dir = "RUN"
epochs = 1
batch_size = 4

[valid]
images_dir = "DATA/valid/images"
masks_dir = "DATA/valid/masks"

[test]
images_dir = "DATA/test/images"
masks_dir = "DATA/test/masks"

[image]
range = "RANGE"

[mask]
rgb_map = {"0,0,0" = 0, "255,255,255" = 1}
"""


def write_12_bits(source, target):
    """The picture with white at 4095, in a file that could hold 65535."""
    grey = read_image(source, channels=1)[..., 0].astype(np.float64)
    write_image(target, np.rint(grey * 4095 / 255).astype(np.uint16))


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """The same phantoms twice, with 8 and with 12 bits."""
    root = tmp_path_factory.mktemp("range")
    write_phantom_dataset(root / "8", patients=6, width=48, height=48, mass_share=1.0)
    shutil.copytree(root / "8", root / "12")
    for path in (root / "12").glob("*/images/*.png"):
        write_12_bits(path, path)
    return root


def trained(flexunet, root, bits, grey_range):
    """The run folder of one epoch, trained on one of the data sets."""
    run = f"run_{bits}_{grey_range}"
    text = CONFIG.replace("DATA", str(root / bits)).replace("RUN", run).replace("RANGE", grey_range)
    file = root / f"{run}.toml"
    file.write_text(text)
    flexunet("train", file)
    return root / run


def test_derive_makes_the_same_images_and_masks(tmp_path, flexunet):
    write_raw_phantoms(tmp_path / "raw8", 2, width=320, height=180, views=["CC"], seed=4)
    for group in ("Cancer", "Non-Cancer"):
        for path in (tmp_path / "raw8" / group).iterdir():
            write_12_bits(path, tmp_path / "raw12" / group / f"{path.stem}.png")
    rows = {}
    for bits in ("8", "12"):
        options = ("--masks", tmp_path / "raw8_masks", "--width", 64, "--height", 48, "--jobs", 1)
        flexunet("derive", tmp_path / f"raw{bits}", tmp_path / bits, *options)
        rows[bits] = Manifest.read(tmp_path / bits).rows
    assert len(rows["8"]) == len(rows["12"]) == 4
    assert [row.get("grey_range", "") for row in rows["12"]] == ["0,4095"] * 4
    for eight, twelve in zip(rows["8"], rows["12"], strict=True):
        for column in ("source", "side", "crop_x", "crop_y", "crop_width", "crop_height", "lesion_pixels"):
            assert eight[column] == twelve[column], column
        first = read_image(tmp_path / "8" / eight["file"], channels=1).astype(np.float64)
        second = read_image(tmp_path / "12" / twelve["file"], channels=1)
        scale = 257 if second.dtype == np.uint16 else 1
        assert np.abs(first - second / scale).max() <= 1
        assert first.max() > 100  # no black film
        masks = [read_image(tmp_path / bits / row["mask"]) for bits, row in (("8", eight), ("12", twelve))]
        assert np.array_equal(*masks)


def test_audit_names_the_range_and_finds_the_same_else(datasets, flexunet):
    found = {}
    for bits in ("8", "12"):
        document = json.loads(flexunet("audit", datasets / bits, "--json", check=False).stdout)
        found[bits] = {(one["code"], one["severity"], tuple(one["files"])) for one in document["findings"]}
        found[bits, "grey"] = [split["median_intensity"] for split in document["splits"].values()]
    named = {one for one in found["12"] if one[0] == "grey-range"}
    assert len(named) == 1
    assert found["8"] == found["12"] - named
    assert found["8", "grey"] == pytest.approx(found["12", "grey"], abs=0.5)


@pytest.mark.parametrize("grey_range", ["auto", "0,4095"])
def test_train_and_evaluate_give_the_same(datasets, flexunet, grey_range):
    eight, twelve = (trained(flexunet, datasets, bits, grey_range) for bits in ("8", "12"))
    losses = [json.loads((run / "history.json").read_text()) for run in (eight, twelve)]
    for name in ("loss", "val_loss"):
        assert losses[0][name] == pytest.approx(losses[1][name], rel=1e-3)
    for run in (eight, twelve):
        flexunet("evaluate", run, "--no-look")
    confusion = [
        np.array(json.loads((run / "evaluation/scores.json").read_text())["confusion"])
        for run in (eight, twelve)
    ]
    assert np.abs(confusion[0] - confusion[1]).sum() <= 0.005 * confusion[0].sum()


def test_read_over_the_full_range_the_film_is_another_one(datasets, flexunet):
    """What the tests above would find if the range were not looked at."""
    eight, twelve = (trained(flexunet, datasets, bits, "full") for bits in ("8", "12"))
    losses = [json.loads((run / "history.json").read_text())["loss"][0] for run in (eight, twelve)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)
