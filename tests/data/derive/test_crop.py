"""Crops: what is cut, and that a mask goes back where it came from."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.derive.breast import Breast, find_breast
from flexunet.data.derive.crop import (
    CropBox,
    choose_box,
    crop_image,
    crop_mask,
    lost_lesion_pixels,
    restore_mask,
    zone_on_image,
)
from flexunet.data.phantom.draw import draw_phantom
from flexunet.errors import DatasetError, ShapeError


def breast_at(left: int, top: int, width: int, height: int, film: tuple[int, int], side: str) -> Breast:
    outline = np.zeros((film[1], film[0]), np.uint8)
    outline[top : top + height, left : left + width] = 1
    return Breast(outline, np.zeros_like(outline), *film, side, 0.0, 10.0)


def test_box_keeps_the_chest_wall_and_pads_before_the_nipple():
    box = choose_box(breast_at(0, 100, 60, 200, (300, 400), "L"), 64, 64, margin=0.1)
    # 20 pixels of room; the film ends at the chest wall, so there is none; square of 240.
    assert (box.crop_x, box.crop_y, box.crop_width, box.crop_height) == (0, 80, 240, 240)
    box = choose_box(breast_at(240, 100, 60, 200, (300, 400), "R"), 64, 64, margin=0.1)
    assert (box.crop_x, box.crop_y, box.crop_width, box.crop_height) == (60, 80, 240, 240)


def test_box_may_reach_beyond_a_narrow_film():
    box = choose_box(breast_at(0, 0, 90, 200, (100, 200), "L"), 64, 64, margin=0)
    assert (box.crop_x, box.crop_y, box.crop_width, box.crop_height) == (0, 0, 200, 200)
    part = box.cut(np.full((200, 100), 9, np.uint8), 3)
    assert (part[:, :100] == 9).all()
    assert (part[:, 100:] == 3).all()


def test_box_has_the_proportions_of_the_image():
    box = choose_box(breast_at(0, 50, 100, 100, (400, 300), "L"), 64, 128, margin=0)
    assert box.crop_height == 2 * box.crop_width


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    raw=st.tuples(st.integers(40, 90), st.integers(40, 90)),
    corner=st.tuples(st.integers(-30, 50), st.integers(-30, 50)),
    size=st.integers(20, 80),
    mirrored=st.booleans(),
)
def test_mask_at_full_size_goes_back_exactly(seed, raw, corner, size, mirrored):
    mask = np.random.default_rng(seed).integers(0, 3, (raw[1], raw[0]), np.uint8)
    box = CropBox(*corner, size, size, mirrored, *raw, size, size)
    row = {name: str(value) for name, value in box.columns().items()}
    restored = restore_mask(crop_mask(mask, box), row)
    inside = box.cut(np.ones_like(mask))
    assert restored.shape == mask.shape
    x, y = np.arange(raw[0]), np.arange(raw[1])
    in_box = ((x >= corner[0]) & (x < corner[0] + size))[None] & ((y >= corner[1]) & (y < corner[1] + size))[
        :, None
    ]
    np.testing.assert_array_equal(restored, np.where(in_box, mask, 0))
    assert inside.sum() == in_box.sum()


@pytest.mark.parametrize("mirrored", [False, True])
def test_mask_of_a_shrunk_crop_goes_back_nearly(mirrored):
    phantom = draw_phantom(1, 600, 800, lesions=2)
    box = choose_box(find_breast(phantom.image), 256, 256, mirrored=mirrored)
    restored = box.restore(crop_mask(phantom.mask, box))
    dice = 2 * (restored & phantom.mask).sum() / (restored.sum() + phantom.mask.sum())
    assert dice > 0.95


def test_image_and_mask_stay_together():
    film = np.zeros((200, 150), np.uint8)
    cv2.circle(film, (0, 100), 60, 120, -1)
    cv2.circle(film, (25, 90), 8, 250, -1)
    mask = (film == 250).astype(np.uint8)
    for mirrored in (False, True):
        breast = find_breast(film)
        box = choose_box(breast, 96, 96, mirrored=mirrored)
        image = crop_image(film, box, breast, zone=breast.zone(0.04))
        np.testing.assert_array_equal(crop_mask(mask, box), (image > 185).astype(np.uint8))
        assert image.shape == (96, 96)
        assert (image[:, -1] > 0).any() == mirrored


def test_labels_are_cleared_and_tissue_is_not():
    phantom = draw_phantom(2, 400, 500, labels=True)
    breast = find_breast(phantom.image)
    zone = breast.zone(0.04)
    box = choose_box(breast, 128, 128)
    image = crop_image(phantom.image, box, breast, zone=zone)
    kept = zone_on_image(zone, box)
    assert (image[kept == 0] == round(breast.background)).all()
    tissue = crop_mask(phantom.breast, box)
    assert kept[tissue > 0].mean() > 0.999
    text = crop_mask(phantom.burned, box)
    assert not (kept & text).any()


def test_shape_and_type_follow_the_film():
    film = np.repeat(draw_phantom(3, 200, 300).image[..., None], 3, axis=2).astype(np.uint16) * 257
    breast = find_breast(film)
    image = crop_image(film, choose_box(breast, 64, 64), breast)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint16


def test_lost_pixels_are_counted():
    film = np.full((100, 100), 50, np.uint8)
    film[:, 80:] = 0
    mask = np.zeros((100, 100), np.uint8)
    mask[10:20, 40:60] = 1  # columns 50 on are outside of the box: 100 pixels on tissue
    mask[30:40, 45:50] = 1  # 50 pixels cleared
    mask[90:92, 90:92] = 1  # 4 pixels of air, outside
    breast = breast_at(0, 0, 50, 100, (100, 100), "L")
    zone = np.ones((100, 100), np.uint8)
    zone[30:40, 45:50] = 0
    lost = lost_lesion_pixels(film, mask, CropBox(0, 0, 50, 100, False, 100, 100, 64, 128), breast, zone)
    assert (lost.outside, lost.cleared, lost.on_tissue) == (104, 50, 150)


def test_row_without_a_box_is_explained():
    with pytest.raises(DatasetError, match=r"'images/a\.png' has no crop box"):
        restore_mask(np.zeros((4, 4), np.uint8), {"file": "images/a.png"})


def test_mask_of_another_size_is_refused():
    with pytest.raises(ShapeError, match="8 x 8"):
        CropBox(0, 0, 8, 8, False, 8, 8, 8, 8).restore(np.zeros((4, 4), np.uint8))
