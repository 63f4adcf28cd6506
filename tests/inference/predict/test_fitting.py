"""Images and models of different sizes, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flexunet.inference.predict.fitting import PADDED, PUBLISHED_TILE, RESIZED


def ramp(height, width, dtype=np.uint8):
    return np.arange(height * width, dtype=dtype).reshape(height, width, 1)


def test_a_small_image_keeps_its_pixels_and_is_padded_by_its_edge():
    fitted = PADDED.to_model(ramp(2, 3), 5, 4)
    assert fitted.dtype == np.float32
    assert fitted[..., 0].tolist() == [
        [0, 1, 2, 2, 2],
        [3, 4, 5, 5, 5],
        [3, 4, 5, 5, 5],
        [3, 4, 5, 5, 5],
    ]
    np.testing.assert_array_equal(PADDED.from_model(fitted, 3, 2), ramp(2, 3))


def test_a_large_image_is_reduced_in_its_own_proportions():
    image = np.repeat(np.array([[0, 100], [200, 40]], np.uint8), 4, axis=1).repeat(2, axis=0)[..., np.newaxis]
    fitted = PADDED.to_model(image, 4, 4)  # 8 x 4 becomes 4 x 2
    assert fitted[..., 0].tolist() == [[0, 0, 100, 100], *[[200, 200, 40, 40]] * 3]
    back = PADDED.from_model(fitted, 8, 4)
    assert back.shape == (4, 8, 1)
    # Linear: the corners are those of the image, and nothing of what was added is in it.
    assert back[[0, 0, -1, -1], [0, -1, 0, -1], 0].tolist() == [0, 100, 200, 40]


def test_sixteen_bits_become_the_same_grey_levels():
    np.testing.assert_array_equal(
        PADDED.to_model(ramp(2, 3, np.uint16) * 257, 5, 4), PADDED.to_model(ramp(2, 3), 5, 4)
    )


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    side=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
def test_every_size_goes_there_and_back(width, height, side):
    image = np.full((height, width, 1), 9, np.uint8)
    for fit in (RESIZED, PADDED, PUBLISHED_TILE):
        fitted = fit.to_model(image, *side)
        assert fitted.shape == (side[1], side[0], 1)
        back = fit.from_model(fitted, width, height)
        assert back.shape == image.shape
        np.testing.assert_allclose(back, image, atol=1e-4)


@pytest.mark.parametrize(("here", "there"), [(128, 144), (128, 160), (64, 144), (256, 160), (7, 3)])
def test_the_nearest_pixel_is_that_of_pillow(here, there):
    labels = np.random.default_rng(0).integers(0, 256, (here, here), dtype=np.uint8)
    expected = Image.fromarray(labels).resize((there, here), Image.Resampling.NEAREST)
    found = PUBLISHED_TILE.from_model(labels[..., np.newaxis], there, here)
    np.testing.assert_array_equal(found[..., 0], np.asarray(expected))


def test_bicubic_stays_in_range_at_any_depth():
    edge = np.zeros((8, 8, 3), np.uint16)
    edge[:, 4:] = 65535
    fitted = PUBLISHED_TILE.to_model(edge, 21, 21)
    assert fitted.dtype == np.float32
    assert (fitted.min(), fitted.max()) == (0, 255)
