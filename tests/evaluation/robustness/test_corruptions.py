"""What images are put through: by hand, and what must hold for every row."""

from pathlib import Path

import numpy as np
import pytest

from flexunet.evaluation.robustness.corruptions import CORRUPTIONS, CutSides, as_stored

ROWS = {row.name: row for row in CORRUPTIONS}
TYPES = (np.uint8, np.uint16, np.float32)


def picture(dtype=np.uint8, channels=1, height=48, width=40):
    """A ramp with a bright square, which the mask marks."""
    grey = np.tile(np.linspace(0, 200, width), (height, 1))
    grey[20:30, 10:22] = 230
    mask = np.zeros((height, width), np.uint8)
    mask[20:30, 10:22] = 1
    pixels = np.repeat(grey[..., None], channels, axis=2)
    return as_stored(pixels, np.dtype(dtype)), mask


def changed(name, strength, image, mask, image_name="one"):
    change = ROWS[name].of_image(strength, mask.shape, image_name)
    return change.image(image), change.mask(mask)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", TYPES)
def test_type_and_channels_stay_and_a_strength_does_something(name, dtype):
    for channels in (1, 3, 5):
        image, mask = picture(dtype, channels)
        before = image.copy()
        pixels, moved = changed(name, ROWS[name].strengths[-1], image, mask)
        assert pixels.dtype == dtype
        assert pixels.shape[2] == channels
        assert moved.shape == pixels.shape[:2]
        assert set(np.unique(moved)) <= {0, 1}
        assert np.array_equal(image, before)
        assert pixels.shape != image.shape or not np.array_equal(pixels, image)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_truly_whether_the_mask_moves(name):
    image, mask = picture()
    _, moved = changed(name, ROWS[name].strengths[-1], image, mask)
    assert (moved.shape != mask.shape or not np.array_equal(moved, mask)) == ROWS[name].moves


@pytest.mark.parametrize("name", ["rotation", "shift", "cropped_sides"])
def test_mask_and_bright_square_move_together(name):
    _, mask = picture()
    square = (mask * 200)[..., None]
    for strength in ROWS[name].strengths:
        pixels, moved = changed(name, strength, square, mask)
        overlap = ((pixels[..., 0] > 100) & (moved > 0)).sum()
        assert overlap >= 0.9 * moved.sum() > 0


def test_an_image_is_always_changed_alike_and_others_otherwise():
    image, mask = picture()
    once, again, other = (changed("shift", 10, image, mask, name)[0] for name in ("a", "a", "b"))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_stronger_is_farther_from_the_image():
    image, mask = picture(height=480, width=400)
    for row in CORRUPTIONS:
        if row.moves:
            continue
        far = [
            np.abs(changed(row.name, strength, image, mask)[0].astype(float) - image).mean()
            for strength in row.strengths
        ]
        assert far == sorted(far), row.name
        assert far[0] > 0, row.name


def test_sides_are_cut_by_hand():
    image = np.arange(10 * 20, dtype=np.uint16).reshape(10, 20, 1)
    left = CutSides(0.2).image(image)
    assert left.shape == (6, 12, 1)
    assert left[0, 0, 0] == 2 * 20 + 4
    assert CutSides(0.9).image(np.ones((3, 4, 1))).shape == (1, 2, 1)


def test_grey_values_by_hand():
    image = np.array([[0, 51, 102, 255]], np.uint8)[..., None]
    mask = np.zeros((1, 4), np.uint8)
    assert changed("gamma_darker", 2.0, image, mask)[0].ravel().tolist() == [0, 10, 41, 255]
    # The middle half of the range, 63.75 to 191.25, becomes black to white.
    assert changed("window_narrower", 0.5, image, mask)[0].ravel().tolist() == [0, 0, 76, 255]
    # The mean is 102.
    assert changed("contrast_lower", 0.5, image, mask)[0].ravel().tolist() == [51, 76, 102, 178]
    levels = {
        tuple(changed("window_level", 20, image, mask, name)[0].ravel().tolist()) for name in "abcdefgh"
    }
    assert levels == {(51, 102, 153, 255), (0, 0, 51, 204)}


def test_a_16_bit_image_is_stored_in_16_bits():
    image, mask = picture(np.uint16)
    pixels, _ = changed("contrast_lower", 0.8, image, mask)
    assert pixels.max() > 40_000
    assert len(np.unique(pixels % 257)) > 1


def test_the_page_names_every_strength():
    page = (Path(__file__).parents[3] / "docs" / "robustness.md").read_text(encoding="utf-8")
    for row in CORRUPTIONS:
        assert ", ".join(f"{strength:g}" for strength in row.strengths) in page, row.name
