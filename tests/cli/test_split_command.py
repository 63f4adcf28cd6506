import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.files import write_image
from flexunet.data.images.masks import ColorMap, write_mask
from flexunet.errors import ConfigError, DatasetError


def split(*arguments):
    return CliRunner().invoke(app, ["split", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(20):
        mask = np.zeros((8, 8), np.uint8)
        mask[: n % 5] = 1
        write_image(tmp_path / "in" / "images" / f"{n:02}.png", rng.integers(0, 255, (8, 8), np.uint8))
        write_mask(tmp_path / "in" / "masks" / f"{n:02}.png", mask, ColorMap.binary())
    return tmp_path / "in"


def test_published_ratios(folder, tmp_path):
    answer = split(folder, tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    counts = [
        len(list((tmp_path / "out" / name / "images").iterdir())) for name in ("train", "valid", "test")
    ]
    assert counts == [16, 3, 1]
    assert "20 images with masks" in answer.stdout
    assert len(Manifest.read(tmp_path / "out").rows) == 20


def test_json_is_one_document(folder, tmp_path):
    answer = split(folder, tmp_path / "out", "--ratios", "0.5,0.5", "--no-look", "--json")
    (fold,) = json.loads(answer.stdout)["folds"]
    assert [row["images"] for row in fold["splits"]] == [10, 10]


def test_folds(folder, tmp_path):
    answer = split(folder, tmp_path / "out", "--folds", 5, "--no-look")
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *[f"fold_{n}" for n in range(1, 6)],
        "folds.csv",
    ]
    assert "fold 5" in answer.stdout


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (("--by", "file"), DatasetError, "--i-accept-leakage"),
        (("--by", "breast"), DatasetError, "patient, source, file"),
        (("--ratios", "1,2,3"), ConfigError, "sum to 1"),
        (("--stratify", "density"), DatasetError, "no such column"),
        (("--folds", "40"), DatasetError, "cannot fill 40 splits"),
    ],
)
def test_what_cannot_be_done(folder, tmp_path, options, error, text):
    answer = split(folder, tmp_path / "out", "--no-look", *options)
    assert isinstance(answer.exception, error)
    assert text in str(answer.exception)
    assert not (tmp_path / "out").exists()


def test_leakage_accepted(folder, tmp_path):
    assert split(folder, tmp_path / "out", "--by", "file", "--i-accept-leakage", "--no-look").exit_code == 0
