"""Ranges of 16-bit files: which they are, what they make of values, and where they are remembered."""

import json

import numpy as np
import pytest
from PIL import Image

from flexunet.config.schema import Config
from flexunet.data.configured import grey_range
from flexunet.data.images.files.header import is_deep_file
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.grey_range import apply_range, check_range, range_of_highest, say_range
from flexunet.data.images.reader import survey_range
from flexunet.errors import ConfigError, ImageError


@pytest.mark.parametrize(
    ("highest", "rule"),
    [(0, "0,255"), (255, "0,255"), (256, "0,1023"), (2290, "0,4095"), (4095, "0,4095"), (4096, "0,16383"),
     (16383, "0,16383"), (16384, "full"), (65535, "full")],
)  # fmt: skip
def test_the_fewest_bits_that_hold_the_highest_value_are_the_range(highest, rule):
    assert range_of_highest(highest) == rule


def test_a_range_is_brought_to_all_16_bits():
    image = np.array([[0, 100, 2290, 4095, 5000]], np.uint16)
    assert apply_range(image, "0,4095").tolist() == [[0, 1600, 36648, 65535, 65535]]
    assert apply_range(image, "100,4095")[0, :2].tolist() == [0, 0]
    assert np.array_equal(apply_range(image, "full"), image)
    assert np.array_equal(apply_range(image, "auto"), apply_range(image, "0,16383"))


def test_other_images_stay_as_they_are():
    eight = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert apply_range(eight, "0,4095") is eight
    deep = np.array([[0, 40000]], np.uint16)
    assert np.array_equal(apply_range(deep, "auto"), deep)


@pytest.mark.parametrize("rule", ["", "1", "5,5", "9,3", "0,65536", "-1,4", "a,b", "each"])
def test_a_rule_that_is_none_is_refused_with_the_key(rule):
    with pytest.raises(ConfigError, match=r"\[image\] range"):
        check_range(rule)


def test_files_are_read_by_the_rule(tmp_path):
    write_image(tmp_path / "film.png", np.full((8, 8), 2290, np.uint16))
    assert read_image(tmp_path / "film.png", 1).max() == 2290
    assert read_image(tmp_path / "film.png", 3, grey_range="0,4095").tolist()[0][0] == [36648] * 3
    assert read_image(tmp_path / "film.png", 1, grey_range="auto").max() == 36648


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_a_set_is_read_by_the_highest_value_of_all(tmp_path, name):
    for number, highest in enumerate((900, 3000, 200)):
        write_image(tmp_path / f"{number}{name}", np.full((8, 8), highest, np.uint16))
    write_image(tmp_path / "plain.png", np.full((8, 8), 200, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    files = sorted(tmp_path.iterdir())
    assert [is_deep_file(path) for path in files] == [True, True, True, False, False]
    survey = survey_range(files)
    assert (survey.count, survey.highest, survey.rule) == (3, 3000, "0,4095")
    said = survey.note("0,4095", "films")
    assert "3 16-bit films have values to 3000 of 65535 (4.6 % of the range)" in said
    assert "nearly black" in survey.note("full", "films")


def test_a_set_of_8_bits_or_of_all_16_needs_no_word(tmp_path):
    write_image(tmp_path / "a.png", np.full((8, 8), 200, np.uint8))
    assert (survey_range([tmp_path / "a.png"]).rule, survey_range([tmp_path / "a.png"]).note("auto", "")) == (
        "auto",
        "",
    )
    write_image(tmp_path / "b.png", np.full((8, 8), 60000, np.uint16))
    assert survey_range(tmp_path.iterdir()).rule == "full"
    assert say_range("full", 60000, 1, "images") == ""
    assert say_range("auto", 3920, 1, "images").startswith("1 16-bit image has values to 3920 of 65535")


def test_a_run_remembers_its_range(tmp_path):
    config = Config()
    config.train.run_dir = str(tmp_path)
    assert grey_range(config) == "auto"  # nothing was trained here
    (tmp_path / "environment.json").write_text(json.dumps({"seed": 1}))
    assert grey_range(config) == "full"  # all that earlier versions knew
    (tmp_path / "environment.json").write_text(json.dumps({"grey_range": "0,4095"}))
    assert grey_range(config) == "0,4095"
    config.image.range = "0,1023"
    assert grey_range(config) == "0,1023"


def test_floating_point_values_need_a_range_that_is_given(tmp_path):
    path = tmp_path / "film.tif"
    values = np.array([[0, 0.25], [0.5, 2]], np.float32)
    Image.fromarray(values).save(path)
    assert read_image(path, 1, grey_range="0,1")[..., 0].tolist() == [[0, 16384], [32768, 65535]]
    for rule in ("auto", "full"):
        with pytest.raises(ImageError, match=r"from 0 to 2; .* LOW,HIGH"):
            read_image(path, grey_range=rule)
    Image.fromarray(np.array([[0, 4095]], np.float32)).save(path)
    assert read_image(path, 1)[..., 0].tolist() == [[0, 4095]]
    assert read_image(path, 1, grey_range="0,4095")[..., 0].tolist() == [[0, 65535]]
    Image.fromarray(np.array([[np.nan, 1]], np.float32)).save(path)
    with pytest.raises(ImageError, match="no finite numbers"):
        read_image(path, grey_range="0,1")
