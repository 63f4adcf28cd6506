import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError


def convert(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    mask = np.eye(8, dtype=np.uint8)
    for name in "ab":
        write_image(tmp_path / "in" / "images" / f"{name}.png", mask * 255)
        write_mask(tmp_path / "in" / "masks" / f"{name}.png", mask, ColorMap.binary())
    return tmp_path / "in"


def test_the_command_says_what_it_wrote(folder, tmp_path):
    answer = convert(folder, tmp_path / "Dataset001_X", "--jobs", 1, "--labels", "mass")
    assert answer.exit_code == 0, answer.output
    assert "2 cases in" in answer.stdout
    assert json.loads((tmp_path / "Dataset001_X" / "dataset.json").read_text())["labels"] == {
        "background": 0,
        "mass": 1,
    }
    answer = convert(folder, tmp_path / "Dataset002_X", "--jobs", 1, "--json")
    assert json.loads(answer.stdout)["cases"] == {"all": 2}


def test_another_program_is_not_guessed(folder, tmp_path):
    answer = convert(folder, tmp_path / "Dataset001_X", "--to", "yolo")
    assert isinstance(answer.exception, ConfigError)
