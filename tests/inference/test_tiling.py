from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.errors import ShapeError
from flexunet.inference.tiling import gaussian_window, predict_tiled, tile_starts


def test_starts_worked_by_hand():
    assert tile_starts(100, 100, 10) == [0]
    assert tile_starts(50, 100, 10) == [0]
    assert tile_starts(190, 100, 10) == [0, 90]
    assert tile_starts(191, 100, 10) == [0, 46, 91]


@given(length=st.integers(1, 500), size=st.integers(2, 120), overlap=st.integers(0, 119))
def test_tiles_cover_the_axis_and_overlap_enough(length, size, overlap):
    if overlap >= size:
        with pytest.raises(ShapeError, match="overlapping"):
            tile_starts(length, size, overlap)
        return
    starts = tile_starts(length, size, overlap)
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        covered[start : start + size] = True
    assert covered.all()
    assert starts[-1] + size == max(length, size)
    assert all(first + size - second >= overlap for first, second in pairwise(starts))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (70, 133), (20, 90), (7, 5)])
def test_tiled_equals_whole_where_the_model_sees_one_pixel_at_a_time(height, width):
    image = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)

    def predict(pixels):
        lesion = 1 / (1 + np.exp(-(pixels.mean(-1) - 127) / 40))
        return np.stack([1 - lesion, lesion], -1)

    tiled = predict_tiled(image, predict, size=32, overlap=8)
    np.testing.assert_allclose(tiled, predict(image[np.newaxis])[0], atol=1e-5)


def test_the_centre_of_a_tile_outweighs_its_border():
    window = gaussian_window(64)
    assert window[32, 32] > 0.98
    assert window[0, 0] == pytest.approx(1e-4)
    assert (window == window[::-1]).all()
    assert (window == window.T).all()
