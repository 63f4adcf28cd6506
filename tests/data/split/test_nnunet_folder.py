"""Raw folders of nnU-Net: written, and read again with nothing lost."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.nnunet import read_description, read_splits
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.label_values import read_label_values
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.split.nnunet import write_nnunet
from flexunet.errors import ConfigError, DatasetError

COLORS = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2})


@pytest.fixture
def dataset(tmp_path):
    """Six images of three patients in three splits, and a copy by augmentation."""
    random = np.random.default_rng(0)
    manifest = Manifest()
    for number, split in enumerate(["train", "train", "train", "train", "valid", "test"]):
        mask = np.zeros((24, 32), np.uint8)
        mask[: number + 1, :5] = 1 + number % 2
        name = f"film {number}_0001"
        file, drawn = f"{split}/images/{name}.png", f"{split}/masks/{name}.png"
        image = random.integers(0, 65535, (24, 32, 1)).astype(np.uint16)
        write_image(tmp_path / "in" / file, image)
        write_mask(tmp_path / "in" / drawn, mask if number else mask * 0, COLORS)
        row = {"file": file, "mask": drawn, "split": split, "source": name, "patient": f"p{number // 2}"}
        manifest.append({**row, "density": "2", "operation": "hflip" if number == 3 else ""})
    manifest.write(tmp_path / "in")
    return tmp_path / "in"


def test_a_data_set_goes_to_nnunet_and_comes_back(dataset, tmp_path):
    out = tmp_path / "Dataset007_Films"
    counts, notes = write_nnunet(dataset, out, masks=MaskReader(COLORS), labels=["mass", "calcification"])
    assert counts == {"train": 3, "valid": 1, "test": 1}
    assert any("1 copy by augmentation left out" in note for note in notes)
    about = read_description(out / "dataset.json")
    assert about.labels == {1: "mass", 2: "calcification"}
    assert json.loads((out / "dataset.json").read_text())["numTraining"] == 4
    assert read_splits(out / "splits_final.json") == [
        {"film 0_0001": "train", "film 1_0001": "train", "film 2_0001": "train", "film 4_0001": "valid"}
    ]
    assert (out / "imagesTs" / "film 5_0001_0000.png").is_file()
    stored = read_image(out / "labelsTr" / "film 1_0001.png", None)
    assert stored.shape == (24, 32, 1)  # a palette would be read as colours there
    assert (stored[:2, :5] == 2).all()
    assert stored.sum() == 20

    (tmp_path / "colours.toml").write_text(
        '[model]\nnum_classes = 3\n[mask]\nrgb_map = {"0,0,0" = 0, "255,0,0" = 1, "0,255,0" = 2}\n'
    )
    options = ["--classes", "mass=1,calcification=2", "--config", str(tmp_path / "colours.toml")]
    options += ["--width", "32", "--height", "24", "--jobs", "1"]
    back = tmp_path / "back"
    answer = CliRunner().invoke(app, ["derive", str(out), str(back), "--dataset", "auto", *options])
    assert answer.exit_code == 0, answer.output
    own = {row["source"]: row for row in Manifest.read(back).rows}
    before = {row["source"]: row for row in Manifest.read(dataset).rows if not row["operation"]}
    assert own.keys() == before.keys()
    for name, row in before.items():
        assert own[name]["official_split"] == row["split"]
        assert (own[name]["patient"], own[name]["density"]) == (row["patient"], "2")
        assert np.array_equal(
            read_image(out / own[name]["raw_file"], None), read_image(dataset / row["file"], None)
        )
        assert np.array_equal(
            read_label_values(back / own[name]["mask"]), read_label_values(dataset / row["mask"])
        )
    origins = {name: row["mask_origin"] for name, row in own.items()}
    assert origins.pop("film 0_0001") == "label"  # somebody looked and found nothing
    assert set(origins.values()) == {"mask"}


def test_colour_and_grey_images_get_the_same_channels(tmp_path):
    for name, channels in (("a", 1), ("b", 3)):
        image = np.arange(8 * 8 * channels, dtype=np.uint8).reshape(8, 8, channels)
        write_image(tmp_path / "in" / "images" / f"{name}.png", image)
        write_mask(tmp_path / "in" / "masks" / f"{name}.png", np.eye(8, dtype=np.uint8), ColorMap.binary())
    out = tmp_path / "Dataset001_X"
    _, notes = write_nnunet(tmp_path / "in", out)
    assert {read_image(path, None).shape[2] for path in (out / "imagesTr").iterdir()} == {3}
    assert read_description(out / "dataset.json").channels == ("red", "green", "blue")
    assert any("three channels" in note for note in notes)
    assert any("by chance" in note for note in notes)
    assert not (out / "splits_final.json").exists()


def test_what_nnunet_would_not_take_is_refused(dataset, tmp_path):
    reader = MaskReader(COLORS)
    with pytest.raises(ConfigError, match="DatasetNNN_NAME"):
        write_nnunet(dataset, tmp_path / "films", masks=reader)
    with pytest.raises(ConfigError, match="2 classes from 1 on, found mass"):
        write_nnunet(dataset, tmp_path / "Dataset001_X", masks=reader, labels=["mass"])
    assert not (tmp_path / "Dataset001_X").exists()
    (tmp_path / "Dataset001_X").mkdir()
    with pytest.raises(DatasetError, match="already exists"):
        write_nnunet(dataset, tmp_path / "Dataset001_X", masks=reader)
    assert read_label_values(next(dataset.glob("train/masks/*1_*.png"))).max() == 2


def test_images_of_four_channels_are_four_files_and_come_back_as_one(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (24, 32, 4)).astype(np.uint8)
    for folder in ("images", "masks"):
        (tmp_path / "in" / folder).mkdir(parents=True)
    write_image(tmp_path / "in" / "images" / "a.npy", image)
    write_mask(tmp_path / "in" / "masks" / "a.png", np.eye(24, 32, dtype=np.uint8), ColorMap.binary())
    out = tmp_path / "Dataset001_X"
    write_nnunet(tmp_path / "in", out)
    assert [path.name for path in sorted((out / "imagesTr").iterdir())] == [f"a_000{n}.png" for n in range(4)]
    assert len(read_description(out / "dataset.json").channels) == 4
    options = ["--dataset", "nnunet", "--width", "32", "--height", "24", "--jobs", "1"]
    answer = CliRunner().invoke(app, ["derive", str(out), str(tmp_path / "back"), *options])
    assert answer.exit_code == 0, answer.output
    np.testing.assert_array_equal(read_image(tmp_path / "back" / "images" / "a.npy", None), image)
