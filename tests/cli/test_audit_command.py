import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom
from flexunet.errors import PathError


def audit(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def dataset(tmp_path):
    for seed, split in ((0, "train"), (2, "train"), (7, "valid"), (8, "test")):  # phantoms with a lesion
        phantom = draw_phantom(seed, 160, 160, labels=False)
        write_image(tmp_path / "set" / split / "images" / f"{seed}.png", phantom.image)
        write_mask(tmp_path / "set" / split / "masks" / f"{seed}.png", phantom.mask, ColorMap.binary())
    return tmp_path / "set"


def plant(dataset):
    for kind in ("images", "masks"):
        source = dataset / "train" / kind / "0.png"
        (dataset / "test" / kind / "hflipped_0.png").write_bytes(source.read_bytes())


def test_a_clean_set_exits_0(dataset):
    answer = audit(dataset)
    assert answer.exit_code == 0
    assert "nothing found that would make a test score untrue" in answer.stdout


def test_what_was_not_looked_at_stands_beside_the_verdict(dataset):
    shutil.rmtree(dataset / "train")
    (dataset / "valid").rename(dataset.parent / "films")
    shutil.rmtree(dataset.parent / "films" / "masks")
    answer = audit(dataset.parent / "films", "--no-compare")
    assert answer.exit_code == 0
    told = [line for line in answer.stdout.splitlines() if line.startswith("not known: ")]
    assert [" ".join(line.split()[2:6]) for line in told] == [
        "whether one person is",
        "whether a picture is",
        "whether masks are right,",
    ]


def test_a_leak_exits_1_and_is_named(dataset):
    plant(dataset)
    answer = audit(dataset, "--no-compare")
    assert answer.exit_code == 1
    assert "leak" in answer.stdout
    assert "a test score on this data set would be untrue" in answer.stdout


def test_json_is_one_document(dataset):
    plant(dataset)
    answer = audit(dataset, "--json", "--no-compare")
    document = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert document["leak_pairs"] == 1
    assert document["findings"][0]["code"] == "leak"


def test_the_page_and_the_json_file(dataset, tmp_path):
    answer = audit(dataset, "--out", tmp_path / "out", "--no-compare")
    assert answer.exit_code == 0
    assert (tmp_path / "out" / "audit.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["scores_hold"] is True


def test_colours_may_be_given(dataset):
    for path in dataset.rglob("masks/*.png"):
        mask = np.zeros((160, 160), np.uint8)
        mask[:40] = 77
        write_image(path, mask)
    answer = audit(dataset, "--no-compare", "--rgb-map", "#000000=0,#4d4d4d=1", "--json")
    assert json.loads(answer.stdout)["figures"]["colors"] == {"(0, 0, 0)": 0, "(77, 77, 77)": 1}
    assert not any(f["code"] == "mask-off-map" for f in json.loads(answer.stdout)["findings"])


def test_no_data_set(tmp_path):
    answer = audit(tmp_path)
    assert isinstance(answer.exception, PathError)  # `main` prints it and exits 2
    assert answer.exception.exit_code == 2
