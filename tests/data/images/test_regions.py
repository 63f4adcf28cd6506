"""Regions: measures worked by hand, and the same as scikit-image and SciPy find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops

from flexunet.data.images.regions import (
    count_holes,
    drop_small,
    fill_holes,
    find_class_regions,
    find_regions,
)

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)
)


def drawn(*rows):
    return np.array([[int(cell) for cell in row] for row in rows], np.uint8)


def test_measures_worked_by_hand():
    # An L of 4 pixels, and a pixel that touches its foot at a corner.
    area = drawn("10000", "10000", "11000", "00100")
    (both,) = [find_regions(area)]
    assert both.areas.tolist() == [5]
    assert both.centres.tolist() == [[(0 + 1 + 2 + 2 + 3) / 5, (0 + 0 + 0 + 1 + 2) / 5]]
    assert both.boxes.tolist() == [[0, 0, 3, 4]]
    apart = find_regions(area, connectivity=4)
    assert apart.areas.tolist() == [4, 1]
    assert apart.centres.tolist() == [[1.25, 0.25], [3, 2]]
    assert apart.boxes.tolist() == [[0, 0, 2, 3], [2, 3, 1, 1]]
    assert apart.largest == 0
    assert np.array_equal(apart.where(np.array([False, True])), drawn("00000", "00000", "00000", "00100") > 0)
    assert apart.touching(drawn("00000", "00000", "00000", "11111") > 0).tolist() == [False, True]


def test_smaller_regions_are_left_out_and_the_others_counted_anew():
    regions = find_regions(drawn("10110", "00000", "11100") > 0, min_area=2)
    assert regions.areas.tolist() == [2, 3]
    assert np.array_equal(regions.labels, drawn("00110", "00000", "22200"))
    assert len(find_regions(np.zeros((3, 4), bool))) == 0


@settings(deadline=None)
@given(MASKS, st.sampled_from([4, 8]))
def test_measures_equal_those_of_scikit_image(mask, connectivity):
    regions = find_regions(mask > 0, connectivity)
    expected, count = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    assert len(regions) == count
    assert np.array_equal(regions.labels > 0, expected > 0)
    properties = regionprops(regions.labels)
    assert regions.areas.tolist() == [one.area for one in properties]
    assert regions.centres == pytest.approx(np.array([one.centroid for one in properties]).reshape(-1, 2))
    for (left, top, width, height), one in zip(regions.boxes.tolist(), properties, strict=True):
        assert one.bbox == (top, left, top + height, left + width)


def test_a_class_region_measured_by_hand():
    first, second = find_class_regions(drawn("0000", "0022", "0120"))
    assert (first.label, first.left, first.top, first.area, first.centre) == (1, 1, 2, 1, (2, 1))
    assert (second.label, second.left, second.top, second.area) == (2, 2, 1, 3)
    assert second.centre == pytest.approx((4 / 3, 7 / 3))
    assert np.array_equal(second.inside, drawn("11", "10") > 0)


@settings(deadline=None)
@given(MASKS)
def test_regions_are_the_components_of_each_class(mask):
    covered = np.zeros_like(mask)
    for region in find_class_regions(mask):
        assert region.area == region.inside.sum() > 0
        assert (region.of(covered)[region.inside] == 0).all()
        region.of(covered)[region.inside] = region.label
    assert np.array_equal(covered, mask)
    expected = sum(ndimage.label(mask == label, np.ones((3, 3)))[1] for label in (1, 2))
    assert len(list(find_class_regions(mask))) == expected


def test_holes_worked_by_hand():
    mask = drawn("11110", "10010", "10211", "11110", "00101", "00010")
    # The class within stays, and so does what only corners enclose.
    filled = drawn("11110", "11110", "11211", "11110", "00111", "00010")
    assert np.array_equal(fill_holes(mask), filled)
    assert np.array_equal(fill_holes(drawn("1110", "1000", "1110")), drawn("1110", "1000", "1110"))


@settings(deadline=None)
@given(MASKS)
def test_holes_of_one_class_as_scipy_fills_them(mask):
    binary = (mask == 1).astype(np.uint8)
    assert np.array_equal(fill_holes(binary), ndimage.binary_fill_holes(binary).astype(np.uint8))


def test_corners_join_background_where_the_caller_says_so():
    # The hole touches the outside at a corner alone.
    ring = drawn("11100", "10100", "11010", "00111")
    assert fill_holes(ring)[1, 1] == 1
    diamond = drawn("00100", "01010", "00100")
    assert fill_holes(diamond, connectivity=4)[1, 2] == 1
    assert fill_holes(diamond, connectivity=8)[1, 2] == 0


def test_bays_at_the_edge_are_no_holes():
    shape = np.ones((9, 9), np.uint8)
    shape[4, 4] = 0
    shape[0:3, 2] = 0
    assert count_holes(shape > 0) == 1
    filled = fill_holes(shape, connectivity=8)
    assert filled[4, 4]
    assert not filled[1, 2]


def test_a_mask_of_thousands_of_specks_is_cleaned_by_the_same_rule():
    random = np.random.default_rng(0)
    mask = (random.random((300, 400)) < 0.3).astype(np.uint8) * random.integers(1, 3, (300, 400), np.uint8)
    cleaned = drop_small(mask, 4)
    expected = mask.copy()
    for region in find_class_regions(mask):
        if region.area < 4:
            region.of(expected)[region.inside] = 0
    assert np.array_equal(cleaned, expected)
    assert 0 < cleaned.astype(bool).sum() < mask.astype(bool).sum()
