"""Surface distances: by hand, against brute force, and against MONAI's values."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.scores.surface import SURFACE_SCORES, boundary, contour, surface_dice, surface_scores

regions = arrays(np.uint8, (6, 8), elements=st.integers(0, 1))


def brute_force(truth, prediction, spacing):
    """The definitions, pixel by pixel."""

    def edge(mask):
        padded = np.pad(mask, 1)
        return [
            (row * spacing[0], column * spacing[1])
            for row, column in np.argwhere(mask)
            if not all(
                padded[row + 1 + down, column + 1 + right]
                for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
            )
        ]

    first, second = edge(truth), edge(prediction)
    if not first or not second:
        return None
    there = [min(np.hypot(a - c, b - d) for c, d in second) for a, b in first]
    back = [min(np.hypot(a - c, b - d) for c, d in first) for a, b in second]
    return max(np.percentile(there, 95), np.percentile(back, 95)), np.mean(there + back), there + back


def test_two_squares_side_by_side():
    truth, prediction = np.zeros((5, 9), np.uint8), np.zeros((5, 9), np.uint8)
    truth[1:4, 1:4] = 1
    prediction[1:4, 4:7] = 1
    # Eight boundary pixels each. Nearest distances from either side: three at 1, two at 2, three at 3.
    scores = surface_scores(truth, prediction, tolerance=1)
    assert scores.hausdorff_95 == pytest.approx(3)
    assert scores.average_surface_distance == pytest.approx((3 * 1 + 2 * 2 + 3 * 3) / 8)
    assert scores.boundary_dice == pytest.approx(6 / 16)


def test_spacing_stretches_one_axis():
    truth, prediction = np.zeros((3, 9), np.uint8), np.zeros((3, 9), np.uint8)
    truth[1, 1], prediction[1, 5] = 1, 1
    assert surface_scores(truth, prediction).hausdorff_95 == pytest.approx(4)
    assert surface_scores(truth, prediction, spacing=(0.5, 0.07)).hausdorff_95 == pytest.approx(0.28)


def test_the_image_edge_is_a_boundary():
    full = np.ones((4, 5), np.uint8)
    assert len(boundary(full)) == 2 * 5 + 2 * 2


def test_a_class_on_one_side_only_has_no_distance_and_no_agreement():
    empty, full = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    for pair in ((empty, full), (full, empty)):
        scores = surface_scores(*pair)
        assert np.isnan([scores.hausdorff_95, scores.average_surface_distance]).all()
        assert scores.boundary_dice == 0
    assert np.isnan(surface_scores(empty, empty)).all()


@settings(max_examples=60)
@given(truth=regions, prediction=regions, spacing=st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
def test_exact_distances_as_by_brute_force(truth, prediction, spacing):
    scores = surface_scores(truth, prediction, 1.5, spacing)
    expected = brute_force(truth, prediction, spacing)
    if expected is None:
        assert np.isnan(scores.hausdorff_95)
        return
    assert scores.hausdorff_95 == pytest.approx(expected[0])
    assert scores.average_surface_distance == pytest.approx(expected[1])
    assert scores.boundary_dice == pytest.approx(np.mean(np.array(expected[2]) <= 1.5))


@given(truth=regions, prediction=regions)
def test_symmetric_and_unchanged_by_flipping(truth, prediction):
    scores = surface_scores(truth, prediction)
    for other in (
        surface_scores(prediction, truth),
        surface_scores(truth[::-1], prediction[::-1]),
        surface_scores(truth[:, ::-1], prediction[:, ::-1]),
    ):
        assert scores == pytest.approx(other, nan_ok=True)


def test_as_monai_computes_them():
    # MONAI 1.6.1, compute_hausdorff_distance(percentile=95) and compute_average_surface_distance(
    # symmetric=True), on the same six pairs of drawn ellipses.
    expected = [
        (30.21525, 19.70337),
        (22.62742, 8.75406),
        (21.06983, 14.2301),
        (6.98035, 3.40162),
        (23.42007, 10.31198),
        (31.16065, 19.38059),
    ]
    rng = np.random.default_rng(3)
    for hausdorff, average in expected:
        pair = np.zeros((2, 48, 64), np.uint8)
        for mask in pair:
            for _ in range(2):
                centre = int(rng.integers(8, 56)), int(rng.integers(8, 40))
                axes = int(rng.integers(3, 12)), int(rng.integers(3, 12))
                cv2.ellipse(mask, centre, axes, int(rng.integers(0, 180)), 0, 360, 1, -1)
        scores = surface_scores(*pair)
        assert scores[:2] == pytest.approx((hausdorff, average), abs=1e-5)


def filled(height, width, top, left, rows, columns):
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + rows, left : left + columns] = 1
    return mask


def test_contour_of_a_box_worked_by_hand():
    # 2 x 3 pixels of 2 x 0.5: four cut corners, two pieces above, two below, one on either side.
    places, lengths = contour(filled(6, 6, 1, 2, 2, 3), (2.0, 0.5))
    assert len(places) == 10
    assert lengths.sum() == pytest.approx(4 * np.hypot(2, 0.5) / 2 + 4 * 0.5 + 2 * 2)
    assert places.min(axis=0).tolist() == [2, 1]
    assert places.max(axis=0).tolist() == [6, 2.5]
    # Two pixels that touch at a corner: six corners cut once, the common one twice.
    assert contour(np.eye(2, dtype=np.uint8), (1.0, 1.0))[1].sum() == pytest.approx(8 * np.sqrt(0.5))


def test_surface_dice_worked_by_hand():
    # Single pixels two columns apart: of each contour, the side that faces the other is 1 away.
    truth, prediction = filled(3, 6, 1, 1, 1, 1), filled(3, 6, 1, 3, 1, 1)
    assert surface_dice(truth, prediction, 0.9) == 0
    assert surface_dice(truth, prediction, 1) == pytest.approx(0.5)
    assert surface_dice(truth, prediction, 2) == 1
    assert surface_dice(truth, prediction, 1, (1.0, 0.5)) == 1
    # 2 x 3 pixels against 3 x 3: the truth's two lower pieces are inside the prediction, and the four lowest
    # pieces of the prediction, two of them cut corners, are a row below the truth.
    truth, prediction = filled(7, 7, 1, 1, 2, 3), filled(7, 7, 1, 1, 3, 3)
    corners = 4 * np.sqrt(0.5)
    length = (corners + 6) + (corners + 8)
    assert surface_dice(truth, prediction, 0) == pytest.approx(1 - (2 + 2 + 2 * np.sqrt(0.5)) / length)
    assert surface_dice(truth, prediction, 1) == 1


def test_surface_dice_takes_mm_where_spacing_is_known():
    place = [row.name for row in SURFACE_SCORES].index("surface_dice")
    truth, prediction = filled(3, 6, 1, 1, 1, 1), filled(3, 6, 1, 3, 1, 1)
    rules = ScoringRules(boundary_tolerance=1)
    assert score_image(truth, prediction, 2, rules).surface[0, place] == pytest.approx(0.5)
    for spacing, expected in (((1.0, 1.0), 0.5), ((1.0, 0.5), 1), ((0.1, 1.1), 0)):
        scores = score_image(truth, prediction, 2, rules, spacing=spacing)
        assert scores.surface[0, place] == pytest.approx(expected)
    empty = np.zeros_like(truth)
    assert score_image(truth, empty, 2, rules).surface[0, place] == 0
    assert np.isnan(score_image(empty, empty, 2, rules).surface[0, place])


@settings(max_examples=60, deadline=None)
@given(truth=regions, prediction=regions, tolerance=st.sampled_from([0.0, 0.5, 1.5, 20.0]))
def test_surface_dice_is_symmetric_and_grows_with_the_tolerance(truth, prediction, tolerance):
    if not truth.any() or not prediction.any():
        return
    score = surface_dice(truth, prediction, tolerance)
    assert surface_dice(prediction, truth, tolerance) == pytest.approx(score)
    assert surface_dice(truth[::-1], prediction[::-1], tolerance) == pytest.approx(score)
    assert surface_dice(truth, prediction, tolerance + 1) >= score
    assert surface_dice(truth, truth, tolerance) == 1
    assert surface_dice(truth, prediction, 20) == 1
