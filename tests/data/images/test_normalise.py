import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.images.normalise import normalise
from flexunet.data.images.pixels import to_model_range
from flexunet.data.phantom.draw import draw_phantom

RULES = ("zscore", "percentiles")


def film(low=100, high=180, height=256, width=200):
    """Half of it black; the breast has two grey values, equally often."""
    image = np.zeros((height, width, 1), np.uint8)
    image[:, : width // 4], image[:, width // 4 : width // 2] = low, high
    return image


def test_none_is_the_image_itself():
    image = film()
    assert normalise(image, "none") is image


def test_zscore_worked_by_hand():
    """Mean 140 and standard deviation 40 of the breast become 127.5 and 25.5."""
    seen = to_model_range(normalise(film(), "zscore"))
    np.testing.assert_allclose(seen[100, [10, 80, 190], 0], [102, 153, 127.5 - 140 / 40 * 25.5], atol=1)


def test_percentiles_worked_by_hand():
    """The breast goes from a tenth to nine tenths; black, below it by more than that, stays black."""
    seen = to_model_range(normalise(film(), "percentiles"))
    np.testing.assert_allclose(seen[100, [10, 80, 190], 0], [25.5, 229.5, 0], atol=1)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(RULES), st.integers(0, 50), st.floats(0.4, 1.0), st.floats(0, 20))
def test_exposure_does_not_matter(rule, seed, factor, summand):
    """A line through the grey values of a film, as another exposure draws it, gives the same image."""
    image = np.float32(draw_phantom(seed, 128, 160, labels=False).image.reshape(160, 128, 1))
    plain = normalise(image, rule)
    again = normalise(image * np.float32(factor) + np.float32(summand), rule)
    assert np.abs(plain - again).mean() < 2


@pytest.mark.parametrize("rule", RULES)
def test_types_and_depths_say_the_same(rule):
    image = draw_phantom(3, 120, 160).image.reshape(160, 120, 1)
    deep, eight = normalise(image.astype(np.uint16) * 257, rule), normalise(image, rule)
    assert deep.dtype == eight.dtype == np.uint16
    assert np.abs(deep.astype(int) - eight).max() <= 1
    floating = normalise(image.astype(np.float32), rule)
    assert floating.dtype == np.float32
    np.testing.assert_allclose(floating, to_model_range(eight), atol=0.01)
    colour = normalise(np.repeat(image, 3, axis=2), rule)
    assert np.abs(colour.astype(int) - eight).max() <= 300  # 1 of 255: rounding of the luma


@pytest.mark.parametrize("rule", RULES)
def test_resolution_does_not_matter(rule):
    image = draw_phantom(3, 480, 640, labels=False).image.reshape(640, 480, 1)
    small = cv2.resize(image, (240, 320), interpolation=cv2.INTER_AREA)[..., np.newaxis]
    halved = cv2.resize(to_model_range(normalise(image, rule)), (240, 320), interpolation=cv2.INTER_AREA)
    assert np.abs(halved - to_model_range(normalise(small, rule))[..., 0]).mean() < 1


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_flat_image_stays_flat(rule, grey):
    seen = normalise(np.full((20, 30, 1), grey, np.uint8), rule)
    assert len(np.unique(seen)) == 1
