import json

import numpy as np
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import PathError


def run(*arguments):
    return CliRunner().invoke(app, ["stats", *map(str, arguments)], catch_exceptions=True)


def test_table_and_pictures(tmp_path):
    write_phantom_dataset(tmp_path / "ds", 3, width=48, height=48)
    result = run(tmp_path / "ds")
    assert result.exit_code == 0, result.output
    assert "images" in result.stdout
    assert "train" in result.stdout
    assert (tmp_path / "ds" / "statistics" / "counts.png").is_file()
    # The pictures written are no part of the data set.
    again = json.loads(run(tmp_path / "ds", "--json", "--no-pictures").stdout)
    assert sum(split["images"] for split in again["splits"].values()) == 12
    assert again["written"] == []


def test_colours_by_option_and_by_configuration(tmp_path):
    mask = np.full((8, 8), 64, np.uint8)
    mask[2:4, 2:4] = 192
    write_image(tmp_path / "ds" / "images" / "a.png", np.zeros((8, 8), np.uint8))
    write_image(tmp_path / "ds" / "masks" / "a.png", mask)
    colours = "{(64,64,64): 0, (192,192,192): 1}"
    options = ["--rgb-map", colours, "--json", "--no-pictures"]
    document = json.loads(run(tmp_path / "ds", *options).stdout)
    assert document["splits"]["all"]["lesion_area_pixels"]["max"] == 4
    config = tmp_path / "c.toml"
    config.write_text('[mask]\nrgb_map = {"64,64,64" = 0, "192,192,192" = 1}\n')
    document = json.loads(run(tmp_path / "ds", "--config", config, "--json", "--no-pictures").stdout)
    assert document["splits"]["all"]["lesion_area_pixels"]["max"] == 4


def test_colours_nobody_gave_are_guessed(tmp_path):
    for name in "abc":
        mask = np.zeros((8, 8, 3), np.uint8)
        mask[2:4, 2:4] = 0, 128, 0
        write_image(tmp_path / "ds" / "images" / f"{name}.png", np.zeros((8, 8), np.uint8))
        write_image(tmp_path / "ds" / "masks" / f"{name}.png", mask)
    result = run(tmp_path / "ds", "--json", "--no-pictures")
    document = json.loads(result.stdout)
    assert document["splits"]["all"]["lesions"] == 3
    assert document["splits"]["all"]["unreadable"] == 0
    assert "guessed from the masks: (0, 0, 0): 0, (0, 128, 0): 1" in " ".join(result.stderr.split())


def test_missing_folder(tmp_path):
    assert isinstance(run(tmp_path / "missing").exception, PathError)


def test_a_set_without_an_image_is_no_table_of_nothing(tmp_path):
    (tmp_path / "ds" / "images").mkdir(parents=True)
    result = run(tmp_path / "ds")
    assert isinstance(result.exception, PathError)
    assert "holds no image" in str(result.exception)


def test_every_class_is_counted_where_there_are_several(tmp_path):
    for name in "ab":
        mask = np.zeros((10, 10), np.uint8)
        mask[:3] = 128
        if name == "b":
            mask[5:7] = 255
        write_image(tmp_path / "ds" / "images" / f"{name}.png", np.zeros((10, 10), np.uint8))
        write_image(tmp_path / "ds" / "masks" / f"{name}.png", mask)
    result = run(tmp_path / "ds", "--rgb-map", "#000000=0,#808080=1,#ffffff=2")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["class", "1,", "images", "2"] in rows
    assert ["class", "1,", "%", "of", "the", "pixels", "30"] in rows
    assert ["class", "2,", "images", "1"] in rows
    assert ["class", "2,", "%", "of", "the", "pixels", "10"] in rows
    assert (tmp_path / "ds" / "statistics" / "classes.png").is_file()
    two = run(tmp_path / "ds", "--rgb-map", "#000000=0,#808080=1,#ffffff=1", "--out", tmp_path / "two")
    assert "class 1" not in two.stdout
    assert not (tmp_path / "two" / "classes.png").exists()
