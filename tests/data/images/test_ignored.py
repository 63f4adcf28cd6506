"""Ignored pixels of mask files: by colour, by grey value, by index; through reading, resizing, writing."""

import cv2
import numpy as np
import pytest
from PIL import Image

from flexunet.config.files import load_config
from flexunet.data.configured import mask_reader
from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.data.images.masks.indices import resize_mask, without_ignored
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError

GREY = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1}, (128, 128, 128))
RED = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1, (0, 0, 255): 2}, (255, 0, 0))
WANTED = np.repeat(np.array([[0, 1, IGNORED, 0]], np.uint8), 8, axis=0).repeat(8, axis=1)


def saved(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def test_a_grey_value_and_a_colour_are_read(tmp_path):
    levels = np.array([0, 255, 128, 0], np.uint8)[np.where(WANTED == IGNORED, 2, WANTED)]
    assert np.array_equal(read_mask(saved(tmp_path / "a.png", levels), GREY), WANTED)
    red = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8)[
        np.where(WANTED == IGNORED, 2, WANTED)
    ]
    assert np.array_equal(read_mask(saved(tmp_path / "b.png", red), RED), WANTED)
    cut = MaskReader(GREY, threshold=100).read(saved(tmp_path / "c.png", levels))
    assert np.array_equal(cut, WANTED)
    # JPEG spreads its colours; the nearest one still counts.
    cv2.imwrite(str(tmp_path / "d.jpg"), levels)
    assert (read_mask(tmp_path / "d.jpg", GREY) == WANTED).mean() > 0.98


def test_class_indices_are_read(tmp_path):
    three = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1, (0, 0, 255): 2}, (128, 128, 128))
    for stored in (128, IGNORED):
        indices = np.where(WANTED == IGNORED, stored, WANTED).astype(np.uint8)
        assert np.array_equal(read_mask(saved(tmp_path / f"{stored}.png", indices), three), WANTED)
    np.savez(tmp_path / "a.npz", mask=WANTED)
    assert np.array_equal(read_mask(tmp_path / "a.npz", three), WANTED)
    np.savez(tmp_path / "b.npz", mask=np.eye(256)[WANTED][..., :3])
    assert np.array_equal(read_mask(tmp_path / "b.npz", three), WANTED)


@pytest.mark.parametrize("colors", [GREY, RED])
def test_a_mask_survives_the_disk(tmp_path, colors):
    write_mask(tmp_path / "a.png", WANTED, colors)
    assert np.array_equal(read_mask(tmp_path / "a.png", colors), WANTED)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.convert("RGB").getpixel((20, 0)) == colors.ignore


def test_without_a_colour_for_them_nothing_changes(tmp_path):
    plain = ColorMap.binary()
    assert plain == ColorMap(plain.colors_to_class, None) != ColorMap(plain.colors_to_class, (9, 9, 9))
    assert plain.file_palette is plain.palette
    mask = np.zeros((4, 4), np.uint8)
    assert without_ignored(mask) == (mask, None)


def test_resizing_and_taking_out():
    small = resize_mask(WANTED, 4, 1)
    assert small.tolist() == [[0, 1, IGNORED, 0]]
    mask, ignored = without_ignored(small)
    assert (mask.tolist(), ignored.tolist()) == ([[0, 1, 0, 0]], [[False, False, True, False]])


def test_the_configuration_says_it_in_three_ways(tmp_path):
    path = tmp_path / "config.toml"
    for text, color in (("128", (128,) * 3), ('"#ff0000"', (255, 0, 0)), ("[1, 2, 3]", (1, 2, 3))):
        path.write_text(f"[mask]\nignore = {text}\n")
        config = load_config(path)
        assert config.mask.ignore == mask_reader(config).color_map.ignore == color
    for text, said in (("255", "the colour of class 1"), ("256", "255"), ('"red"', "ignore")):
        path.write_text(f"[mask]\nignore = {text}\n")
        with pytest.raises(ConfigError, match=said):
            load_config(path)
    with pytest.raises(ConfigError, match="is the colour of class 1"):
        ColorMap({(0, 0, 0): 0, (255, 255, 255): 1}, (255, 255, 255))
