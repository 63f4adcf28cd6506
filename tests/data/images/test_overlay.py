"""Overlays: the outline lies around the mask, and what is inside stays as it was."""

import numpy as np
import pytest

from flexunet.data.images.overlay import OUTLINE_COLORS, draw_key, draw_overlay, drawn_letters
from flexunet.errors import ShapeError


def test_outline_runs_outside_the_mask_and_inside_is_untouched():
    image = np.full((20, 20), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[8:12, 8:12] = 1
    picture = draw_overlay(image, mask, thickness=1)
    assert picture.shape == (20, 20, 3)
    assert (picture[8:12, 8:12] == 100).all()
    assert (picture[9, 7] == OUTLINE_COLORS[1]).all()
    assert (picture[9, 6] == 0).all(), "a dark edge around the line"
    assert (picture[9, 5] == 100).all()
    assert (image == 100).all()


def test_empty_mask_leaves_the_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    np.testing.assert_array_equal(draw_overlay(image, np.zeros((9, 7), np.uint8)), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_of_any_depth(dtype):
    image = np.full((6, 6, 1), 257 * 80 if dtype == np.uint16 else 80, dtype)
    assert (draw_overlay(image, np.zeros((6, 6), np.uint8)) == 80).all()


def test_each_class_has_its_own_colour_and_a_palette_is_honoured():
    mask = np.zeros((30, 30), np.uint8)
    mask[5:9, 5:9], mask[20:24, 20:24] = 1, 2
    image = np.zeros((30, 30, 3), np.uint8)
    picture = draw_overlay(image, mask, thickness=1)
    assert (picture[4, 6] == OUTLINE_COLORS[1]).all()
    assert (picture[19, 21] == OUTLINE_COLORS[2]).all()
    palette = np.array([(0, 0, 0), (1, 2, 3), (4, 5, 6)], np.uint8)
    assert (draw_overlay(image, mask, palette, thickness=1)[19, 21] == (4, 5, 6)).all()


def test_more_classes_than_colours_is_no_error():
    mask = np.full((5, 5), 0, np.uint8)
    mask[2, 2] = 200
    assert draw_overlay(np.zeros((5, 5), np.uint8), mask, thickness=1)[2, 1].any()


def test_sizes_must_agree():
    with pytest.raises(ShapeError, match="one size"):
        draw_overlay(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))


def test_a_lesion_in_the_corner_is_outlined_within_the_picture():
    mask = np.zeros((20, 30), np.uint8)
    mask[:4, 26:] = 1
    picture = draw_overlay(np.full((20, 30), 100, np.uint8), mask, thickness=1)
    assert (picture[4, 26:] == OUTLINE_COLORS[1]).all()
    assert (picture[:4, 25] == OUTLINE_COLORS[1]).all()
    assert (picture[:4, 26:] == 100).all()
    assert (picture[6:] == 100).all()


def test_the_key_has_a_bar_of_its_length_and_the_colour_of_each_class():
    mask = np.zeros((700, 700), np.uint8)
    mask[100:200, 100:200] = 2
    picture = draw_key(np.full((700, 700, 3), 90, np.uint8), mask, ["fat", "gland"], (0.2, 0.1))
    # 700 pixels of 0.1 mm: a third of the width has room for 20 mm, which are 200 pixels and both ends.
    assert (picture[690] == 255).all(axis=-1).sum() == 201
    assert (picture[680:690, 10:20] == OUTLINE_COLORS[2]).all()
    assert not (picture == OUTLINE_COLORS[1]).all(axis=-1).any()
    assert (picture[:600] == 90).all()


def test_without_a_known_scale_there_is_no_bar_and_on_a_small_picture_no_key():
    mask = np.ones((700, 700), np.uint8)
    picture = draw_key(np.full((700, 700, 3), 90, np.uint8), mask, ["lesion"], None)
    assert (picture[:, 350:] == 90).all()
    small = np.full((100, 700, 3), 90, np.uint8)
    assert (draw_key(small, mask[:100], ["lesion"], (0.1, 0.1)) == 90).all()


def test_names_are_drawn_in_letters_that_opencv_has():
    assert drawn_letters("Drüse, Maß, Kalk") == "Druse, Mass, Kalk"
    assert drawn_letters("腫瘤") == "??"
