import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flexunet.config.run_sections import InferSection
from flexunet.data.images.regions import find_class_regions
from flexunet.inference.outputs.lesions import (
    clean_mask,
    lesion_rows,
    measure_lesions,
    write_lesion_table,
)

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)
)


def drawn(*rows):
    return np.array([[int(cell) for cell in row] for row in rows], np.uint8)


def test_measures_worked_by_hand():
    mask = drawn("00000", "01111", "01111", "01111", "20000")
    probabilities = np.zeros((5, 5, 3), np.float32)
    probabilities[1:4, 1:, 1] = 0.5
    probabilities[2, 2, 1] = 1.0
    probabilities[4, 0, 2] = 0.75
    first, second = measure_lesions(mask, probabilities, spacing=(0.5, 0.25))
    assert (first.label, first.area_px, first.area_mm2) == (1, 12, 12 * 0.125)
    # 4 columns x 3 rows: the diagonal is 5 pixels, or sqrt(1.5^2 + 1^2) mm.
    assert first.long_axis_px == 5
    assert first.long_axis_mm == pytest.approx(np.sqrt(3.25), abs=1e-3)
    assert first.mean_probability == pytest.approx(6.5 / 12, abs=1e-6)
    assert first.max_probability == 1
    assert (first.x, first.y) == (2.5, 2)
    assert (first.box_x, first.box_y, first.box_width, first.box_height) == (1, 1, 4, 3)
    assert (second.lesion, second.label, second.area_px, second.max_probability) == (2, 2, 1, 0.75)
    assert second.long_axis_px == pytest.approx(np.sqrt(2), abs=1e-3)


def test_without_spacing_or_probabilities_the_rest_is_known():
    (lesion,) = measure_lesions(drawn("010", "010"), None)
    assert (lesion.area_mm2, lesion.long_axis_mm) == (None, None)
    assert (lesion.mean_probability, lesion.area_px) == (1, 2)
    assert measure_lesions(np.zeros((4, 4), np.uint8)) == []


def test_one_channel_is_the_foreground():
    probabilities = np.full((2, 3, 1), 0.7, np.float32)
    assert measure_lesions(drawn("010", "010"), probabilities)[0].mean_probability == pytest.approx(0.7)


@given(MASKS)
def test_long_axis_is_the_greatest_distance_of_pixel_corners(mask):
    for region, lesion in zip(find_class_regions(mask), measure_lesions(mask), strict=True):
        pixels = np.argwhere(region.inside)
        corners = np.concatenate([pixels + offset for offset in np.ndindex(2, 2)])
        between = np.sqrt(np.square(corners[:, None] - corners).sum(-1))
        assert lesion.long_axis_px == pytest.approx(between.max(), abs=1e-3)


def test_small_lesions_go():
    mask = drawn("1100", "1000", "0002", "0200")
    assert np.array_equal(clean_mask(mask, InferSection()), mask)
    assert np.array_equal(clean_mask(mask, InferSection(min_lesion_pixels=2)), mask * (mask == 1))
    assert not clean_mask(mask, InferSection(min_lesion_pixels=4)).any()
    in_mm = InferSection(min_lesion_mm2=0.03)
    # A pixel of 0.1 x 0.1 mm: three of them are 0.03 mm2, which is enough.
    assert np.array_equal(clean_mask(mask, in_mm, (0.1, 0.1)), mask * (mask == 1))
    assert np.array_equal(clean_mask(mask, in_mm, None), mask)


def test_holes_are_filled_before_lesions_are_measured():
    ring = drawn("111", "101", "111")
    assert clean_mask(ring, InferSection(fill_holes=True, min_lesion_pixels=9)).sum() == 9
    assert clean_mask(ring, InferSection(min_lesion_pixels=9)).sum() == 0


def test_table_has_a_row_a_lesion(tmp_path):
    rows = lesion_rows(measure_lesions(drawn("101"), None, (1.0, 2.0)))
    write_lesion_table(tmp_path / "lesions.csv", [("a.png", rows), ("b.png", []), ("c,d.png", rows[:1])])
    with (tmp_path / "lesions.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["file"] for row in table] == ["a.png", "a.png", "c,d.png"]
    assert [row["lesion"] for row in table] == ["1", "2", "1"]
    assert table[0]["area_mm2"] == "2.0"
