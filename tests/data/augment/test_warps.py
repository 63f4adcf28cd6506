from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flexunet.data.augment import fields, warps


@cache
def all_changes(height, width):
    return {
        "hflip": warps.Flip("h"),
        "vflip": warps.Flip("v"),
        "hvflip": warps.Flip("hv"),
        "rotation": warps.rotation(width, height, 33),
        "right angle": warps.rotation(width, height, 90),
        "shrink": warps.Shrink(0.7),
        "shear": warps.shear(width, 0.2),
        "shear and flip": warps.Chain((warps.shear(width, -0.3), warps.Flip("h"))),
        "deformation": warps.Displace(
            fields.deformation_field(height, width, 1300, 8, 137), border="nearest"
        ),
        "distortion": warps.Displace(fields.distortion_field(height, width, 0.03, 40, 1)),
        "barrel": warps.Discs([fields.disc_field(height, width, (0.4, 0.5), 0.4, 0.5)]),
        "pincushion": warps.Discs([fields.disc_field(height, width, (0.4, 0.5), 0.4, -0.5)]),
        "discs one after the other": warps.Discs(
            [fields.disc_field(height, width, (x, 0.5), 0.3, 0.3) for x in (0.3, 0.5, 0.7)]
        ),
        "sharpen": warps.Sharpen(1.0),
        "brighten": warps.Brighten(1.2, 10),
    }


NAMES = list(all_changes(16, 16))
GEOMETRIC = [name for name in NAMES if name not in ("sharpen", "brighten")]


def drawn_mask(size=512):
    """Discs and bars of several sizes, in the middle and near the borders."""
    mask = np.zeros((size, size), np.uint8)
    for x, y, radius in ((150, 160, 60), (360, 330, 90), (380, 110, 25), (120, 400, 35)):
        cv2.circle(mask, (x, y), radius, 1, -1)
    cv2.rectangle(mask, (230, 40), (270, 200), 1, -1)
    cv2.ellipse(mask, (255, 460), (70, 20), 15, 0, 360, 1, -1)
    return mask


@pytest.mark.parametrize("name", NAMES)
def test_image_and_mask_move_together(name):
    mask = drawn_mask()
    change = all_changes(*mask.shape)[name]
    moved_mask = change.mask(mask) > 0
    moved_image = change.image(mask[..., None] * np.uint8(255))[..., 0] >= 128
    dice = 2 * (moved_mask & moved_image).sum() / (moved_mask.sum() + moved_image.sum())
    assert dice > 0.985
    assert (moved_mask != (mask > 0)).any() == (name in GEOMETRIC)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shape_and_type_stay_and_the_input_is_untouched(name, channels, dtype):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (40, 56, channels)).astype(dtype)
    mask = rng.integers(0, 4, (40, 56)).astype(np.uint8)
    image_before, mask_before = image.copy(), mask.copy()
    change = all_changes(40, 56)[name]
    changed, changed_mask = change.image(image), change.mask(mask)
    assert changed.shape == image.shape
    assert changed.dtype == dtype
    assert changed_mask.shape == mask.shape
    assert changed_mask.dtype == np.uint8
    changed[:] = 0
    changed_mask[:] = 0
    np.testing.assert_array_equal(image, image_before)
    np.testing.assert_array_equal(mask, mask_before)


@pytest.mark.parametrize("name", NAMES)
def test_grey_and_colour_images_change_alike(name):
    grey = np.random.default_rng(2).integers(0, 256, (40, 56, 1), np.uint8)
    change = all_changes(40, 56)[name]
    np.testing.assert_array_equal(change.image(np.repeat(grey, 3, 2)), np.repeat(change.image(grey), 3, 2))


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_bits_change_as_eight(name):
    image = np.random.default_rng(3).integers(0, 256, (40, 56, 1), np.uint8)
    change = all_changes(40, 56)[name]
    deep = change.image(image.astype(np.uint16) * 257) / 257
    np.testing.assert_allclose(deep, change.image(image), atol=2)


@pytest.mark.parametrize("name", NAMES)
@given(mask=arrays(np.uint8, (24, 20), elements=st.sampled_from([0, 1, 3, 200])))
def test_masks_stay_on_the_map(name, mask):
    changed = all_changes(24, 20)[name].mask(mask)
    assert set(np.unique(changed)) <= set(np.unique(mask)) | {0}


@pytest.mark.parametrize("name", ["sharpen", "brighten"])
def test_grey_value_changes_leave_the_mask(name):
    mask = drawn_mask(64)
    np.testing.assert_array_equal(all_changes(64, 64)[name].mask(mask), mask)


def test_what_a_rotation_uncovers_has_the_value_and_class_of_pixel_2_2():
    image = np.full((30, 30, 3), 90, np.uint8)
    image[2, 2] = 10, 20, 30
    mask = np.zeros((30, 30), np.uint8)
    mask[2, 2] = 1
    change = warps.rotation(30, 30, 45)
    assert change.image(image)[0, 0].tolist() == [10, 20, 30]
    assert change.mask(mask)[0, 0] == 1


def test_shrink_by_hand():
    image = np.zeros((10, 10, 1), np.uint8)
    image[4:6, 4:6] = 100
    shrunk = warps.Shrink(0.5).image(image)  # 5 x 5 in the middle, from (2, 2) on
    assert shrunk[..., 0].sum() == 100
    assert shrunk[4, 4, 0] == 100


def test_sharpen_by_hand():
    image = np.full((5, 5, 1), 100, np.uint8)
    image[2, 2] = 101
    sharp = warps.Sharpen(0.5).image(image)
    assert sharp[2, 2, 0] == 105  # 101 * 5 - 8 * 0.5 * 100
    assert sharp[1, 1, 0] == 100  # 100 * 5 - 0.5 * (7 * 100 + 101) = 99.5, to the nearest even
    assert sharp[0, 0, 0] == 100  # two pixels away, it does not see the bright one


@pytest.mark.parametrize(("before", "after"), [(0, 10), (100, 130), (210, 255)])
def test_brighten_by_hand(before, after):
    image = np.full((2, 2, 1), before, np.uint8)
    assert warps.Brighten(1.2, 10).image(image)[0, 0, 0] == after


def test_darkening_stops_at_black():
    image = np.full((2, 2, 1), 10, np.uint8)
    assert warps.Brighten(1.0, -30).image(image).max() == 0


def test_float_images_stay_in_range():
    image = np.random.default_rng(4).uniform(0, 255, (20, 20, 3)).astype(np.float32)
    for name in ("sharpen", "brighten"):
        changed = all_changes(20, 20)[name].image(image)
        assert changed.min() >= 0
        assert changed.max() <= 255


@pytest.mark.parametrize("name", sorted(all_changes(40, 50)))
def test_images_of_many_channels_change_as_their_parts_do(name):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 6), dtype=np.uint8)
    change = all_changes(40, 50)[name]
    changed = change.image(image)
    assert changed.shape == image.shape
    for part in (slice(0, 4), slice(4, 6)):
        alone = change.image(np.ascontiguousarray(image[..., part]))
        np.testing.assert_array_equal(changed[..., part], alone)
