from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.errors import ShapeError
from flexunet.inference.predict.tiling import (
    Grid,
    blending_weights,
    gaussian_profile,
    predict_tiled,
    tile_starts,
)


def test_starts_worked_by_hand():
    assert tile_starts(100, 100, 10) == [0]
    assert tile_starts(50, 100, 10) == [0]
    assert tile_starts(190, 100, 10) == [0, 90]
    assert tile_starts(191, 100, 10) == [0, 46, 91]


@given(length=st.integers(1, 500), size=st.integers(2, 120), overlap=st.integers(0, 119))
def test_tiles_cover_the_axis_overlap_enough_and_their_weights_add_up_to_one(length, size, overlap):
    if overlap >= size:
        with pytest.raises(ShapeError, match="overlapping"):
            tile_starts(length, size, overlap)
        return
    starts = tile_starts(length, size, overlap)
    covered = np.zeros(max(length, size))
    for start, weights in zip(starts, blending_weights(starts, max(length, size), size), strict=True):
        covered[start : start + size] += weights
    np.testing.assert_allclose(covered, 1, atol=1e-6)
    assert starts[-1] + size == max(length, size)
    assert all(first + size - second >= overlap for first, second in pairwise(starts))


def pointwise(pixels):
    """A model that sees one pixel at a time."""
    lesion = 1 / (1 + np.exp(-(pixels.astype(np.float32).mean(-1) - 127) / 40))
    return np.stack([1 - lesion, lesion], -1)


@given(height=st.integers(1, 150), width=st.integers(1, 150), batch_size=st.integers(1, 9))
def test_tiled_equals_whole_where_the_model_sees_one_pixel_at_a_time(height, width, batch_size):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tiled = predict_tiled(image, pointwise, size=32, overlap=8, batch_size=batch_size)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, pointwise(image[np.newaxis])[0], atol=1e-5)


def test_tiles_come_in_batches_in_the_depth_of_the_image():
    seen = []

    def predict(tiles):
        seen.append((len(tiles), tiles.dtype))
        return pointwise(tiles)

    predict_tiled(np.zeros((100, 70, 1), np.uint16), predict, size=40, overlap=10, batch_size=4)
    assert seen == [(4, np.uint16), (2, np.uint16)]


def test_tiles_that_are_not_chosen_hold_background():
    image = np.full((60, 100, 1), 255, np.uint8)
    seen = []

    def choose(grid):
        assert grid == Grid(60, 100, 40, (0, 20), (0, 30, 60))
        chosen = np.ones(grid.shape, bool)
        chosen[:, 0] = False
        return chosen

    def predict(tiles):
        seen.append(len(tiles))
        return pointwise(tiles)

    options = {"size": 40, "overlap": 10, "batch_size": 16}
    found = predict_tiled(image, predict, choose=choose, background=np.array([1, 0]), **options)
    assert seen == [4]
    np.testing.assert_allclose(found[:, :30], np.broadcast_to([1, 0], (60, 30, 2)), atol=1e-6)
    np.testing.assert_allclose(found[:, 40:], pointwise(image[np.newaxis])[0, :, 40:], atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    nothing = predict_tiled(
        image, predict, choose=lambda grid: np.zeros(grid.shape, bool), background=np.array([1, 0]), **options
    )
    assert seen == [4]
    assert (nothing.argmax(-1) == 0).all()


def test_the_centre_of_a_tile_outweighs_its_border():
    profile = gaussian_profile(64)
    assert profile[32] > 0.99
    assert profile[0] == pytest.approx(1e-2)
    assert (profile == profile[::-1]).all()
