"""Polygons become the masks that comparing every pixel with every edge gives."""

import numpy as np
import pytest
import skimage.draw
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.annotations.filling import fill_polygon
from flexunet.data.annotations.shapes import ANNOTATED, Circle, Ellipse, FilmAnnotation, Polygon

# Corners anywhere, on the borders and on the middles of pixels, and beyond the film.
COORDINATES = st.one_of(
    st.floats(-60, 90), st.integers(-20, 50).map(float), st.integers(-20, 90).map(lambda n: n / 2)
)
CORNERS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=9)


def drawn(corners, width, height):
    return FilmAnnotation(ANNOTATED, (Polygon(tuple(corners)),)).rasterise(width, height)


@settings(max_examples=400)
@given(CORNERS, st.integers(1, 40), st.integers(1, 40))
def test_every_pixel_is_as_by_comparison_with_every_edge(corners, width, height):
    x, y = np.array(corners).T - 0.5
    expected = np.zeros((height, width), np.uint8)
    expected[skimage.draw.polygon(y, x, (height, width))] = 1
    if not expected.any() and np.ptp(corners, axis=0).max() < 4:  # a small lesion keeps a pixel
        column, row = np.floor(np.mean(corners, axis=0)).astype(int)
        if 0 <= row < height and 0 <= column < width:
            expected[row, column] = 1
    np.testing.assert_array_equal(drawn(corners, width, height), expected)


def test_a_rectangle_by_hand():
    # From (1, 1) to (4, 3): three pixels wide, two high.
    mask = drawn([(1, 1), (4, 1), (4, 3), (1, 3)], 6, 5)
    assert mask.sum() == 6
    assert mask[1:3, 1:4].all()


def test_a_crossed_outline_is_filled_by_the_even_odd_rule():
    star = [(50 + 45 * np.sin(turn), 50 - 45 * np.cos(turn)) for turn in np.arange(5) * 4 * np.pi / 5]
    mask = drawn(star, 100, 100)
    assert mask[50, 50] == 0  # the middle of a pentagram is enclosed twice
    assert mask[15, 50] == 1


@pytest.mark.parametrize("far", [1e4, 1e7, 1e12])
def test_corners_far_beyond_the_film(far):
    mask = drawn([(-far, -far), (far, -far), (far, far), (-far, far)], 30, 20)
    assert mask.all()


@pytest.mark.parametrize(
    "shape",
    [
        Polygon(((3.1, 4.1), (3.3, 4.1), (3.2, 4.3))),
        Polygon(((2.0, 4.2), (4.0, 4.3), (3.3, 4.4))),
        Circle(3.2, 4.2, 0.1),
        Ellipse(3.2, 4.2, 0.1, 0.2),
    ],
)
def test_a_lesion_smaller_than_a_pixel_keeps_one(shape):
    assert np.argwhere(FilmAnnotation(ANNOTATED, (shape,)).rasterise(8, 9)).tolist() == [[4, 3]]


def test_a_small_lesion_beyond_the_film_marks_nothing():
    shape = Polygon(((30.1, 4.1), (30.3, 4.1), (30.2, 4.3)))
    assert not FilmAnnotation(ANNOTATED, (shape,)).rasterise(8, 9).any()


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-6, 30), st.integers(-6, 30)), min_size=3, max_size=9),
    st.sampled_from([1.0, 0.5, 0.25]),
)
def test_edges_through_middles_of_pixels_belong_to_the_outline(corners, step):
    """Corners on middles of pixels and halfway: edges then hit middles exactly."""
    points = np.array(corners, float) * step
    mask = np.zeros((24, 26), np.uint8)
    fill_polygon(points, mask, 1)
    expected = np.zeros_like(mask)
    expected[skimage.draw.polygon(points[:, 1], points[:, 0], mask.shape)] = 1
    np.testing.assert_array_equal(mask, expected)
