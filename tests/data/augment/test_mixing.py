import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.data.augment.mixing import Lesion, mix
from flexunet.data.images.color_map import IGNORED


def section(**keys):
    return RandomTransformSection(**keys)


def flat(greys, height=20, width=30):
    """Images of one grey each, with masks of one class each."""
    images = np.ones((len(greys), height, width, 1), np.float32) * np.float32(greys)[:, None, None, None]
    masks = np.ones((len(greys), height, width), np.uint8) * np.arange(len(greys))[:, None, None]
    return images, masks.astype(np.uint8)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_a_box_holds_image_and_mask_of_another_image(seed):
    images, masks = flat([10, 20, 30, 40])
    chosen = section(cutmix_probability=1.0, cutmix=(0.25, 0.25))
    mixed, mixed_masks = mix(chosen, images, masks, np.random.default_rng(seed))
    np.testing.assert_array_equal(mixed[..., 0], 10 * (1 + mixed_masks))  # never apart
    for index in range(4):
        other = mixed_masks[index] != index
        rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
        assert other.sum() == len(rows) * len(columns) == 10 * 15  # one box of half of each side
        assert len(np.unique(mixed_masks[index][other])) == 1
    assert images.max() == 40
    assert (masks == np.arange(4)[:, None, None]).all()


def test_probability_and_lone_images():
    images, masks = flat([10] * 200, 4, 4)
    masks[:] = np.arange(200)[:, None, None]
    _, mixed = mix(section(cutmix_probability=0.3), images, masks, np.random.default_rng(0))
    assert (mixed != masks).any(axis=(1, 2)).sum() == pytest.approx(60, abs=25)
    for chosen, count in ((section(), 200), (section(cutmix_probability=1.0), 1)):
        same = mix(chosen, images[:count], masks[:count], np.random.default_rng(0))
        np.testing.assert_array_equal(same[1], masks[:count])


def breasts():
    """A breast with a lesion of class 2, 60 grey levels above its surroundings, and one of another grey."""
    images, masks = np.zeros((2, 80, 90, 1), np.float32), np.zeros((2, 80, 90), np.uint8)
    images[0, :, :60], images[1, 10:, 40:] = 100, 150
    cv2.circle(masks[0], (30, 40), 8, 2, -1)
    images[0][masks[0] > 0] = 160
    return images, masks


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_a_lesion_is_laid_over_the_breast_of_another_image(seed):
    images, masks = breasts()
    chosen = section(lesion_paste_probability=1.0, lesion_paste=(0.5, 0.5))
    mixed, mixed_masks = mix(chosen, images, masks, np.random.default_rng(seed))
    np.testing.assert_array_equal(mixed[0], images[0])  # the other one has no lesion to give
    lesion = mixed_masks[1] == 2
    if not lesion.any():
        return  # no place was found
    assert lesion.sum() == (masks[0] == 2).sum()
    assert (images[1][lesion] == 150).mean() >= 0.9
    core = cv2.erode(lesion.astype(np.uint8), np.ones((7, 7))) > 0
    core &= images[1, ..., 0] == 150
    np.testing.assert_allclose(mixed[1][core], 180, atol=0.5)  # 150 and half of 60
    far = cv2.dilate(lesion.astype(np.uint8), np.ones((15, 15))) == 0
    np.testing.assert_allclose(mixed[1][far], images[1][far], atol=0.01)


def test_a_place_is_nearly_always_found():
    images, masks = breasts()
    chosen = section(lesion_paste_probability=1.0)
    pasted = sum(mix(chosen, images, masks, np.random.default_rng(seed))[1][1].any() for seed in range(50))
    assert pasted >= 45


def test_a_lesion_goes_over_no_other_lesion():
    images, masks = breasts()
    masks[1, 10:, 40:] = 1
    _, mixed = mix(section(lesion_paste_probability=1.0), images, masks, np.random.default_rng(0))
    np.testing.assert_array_equal(mixed[1], masks[1])


def test_a_lesion_stays_between_black_and_white():
    excess = np.full((2, 2, 1), 100, np.float32)
    lesion = Lesion(1, 1, excess, np.array([[1, 0], [0, 3]], np.uint8))
    image = lesion.image(np.full((4, 4, 1), 200, np.float32))
    assert image[1:3, 1:3].min() == image.max() == 255
    assert image[0, 0, 0] == 200
    assert lesion.mask(np.full((4, 4), 2, np.uint8))[1:3, 1:3].tolist() == [[1, 2], [2, 3]]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_ignored_pixels_give_and_take_no_lesion_but_follow_their_box(seed):
    images, masks = breasts()
    masks[1, 10:45, 40:] = IGNORED  # the upper half of the other breast
    chosen = section(lesion_paste_probability=1.0)
    mixed, mixed_masks = mix(chosen, images, masks, np.random.default_rng(seed))
    np.testing.assert_array_equal(mixed_masks[1] == IGNORED, masks[1] == IGNORED)
    np.testing.assert_array_equal(mixed[0], images[0])  # an ignored region is no lesion to give
    boxed, boxed_masks = mix(section(cutmix_probability=1.0), images, masks, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        boxed_masks[0] == IGNORED, (boxed[0, ..., 0] == 150) & (masks[1] == IGNORED)
    )
