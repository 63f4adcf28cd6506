"""Pixel scores: values worked by hand, and what must hold for any pair of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flexunet.data.images.color_map import IGNORED
from flexunet.errors import MaskError, ShapeError
from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.pixels import (
    apply_empty_rule,
    confusion_matrix,
    foreground_counts,
    mean_over_classes,
    pixel_scores,
)
from flexunet.inference.predict.calibration import Calibration

masks = arrays(np.uint8, (5, 7), elements=st.integers(0, 2))


def scores_of(truth, prediction, num_classes=3):
    return pixel_scores(*foreground_counts(confusion_matrix(truth, prediction, num_classes)))


def test_a_mask_worked_by_hand():
    truth = np.array([[0, 1, 1, 1], [0, 1, 1, 1]], np.uint8)
    prediction = np.array([[0, 0, 1, 1], [1, 1, 1, 0]], np.uint8)
    # 4 of 6 true pixels found, 5 predicted: Dice 2*4/(6+5), IoU 4/7, precision 4/5, recall 4/6.
    confusion = confusion_matrix(truth, prediction, 2)
    assert confusion.tolist() == [[1, 1], [2, 4]]
    scores = pixel_scores(*foreground_counts(confusion))
    assert scores["dice"] == pytest.approx([8 / 11])
    assert scores["iou"] == pytest.approx([4 / 7])
    assert scores["precision"] == pytest.approx([4 / 5])
    assert scores["recall"] == pytest.approx([4 / 6])


def test_the_mean_of_an_image_is_over_the_classes_that_occur_in_it():
    # Class 1 is found (Dice 1), class 2 is imagined (Dice 0), class 3 is in neither and does not count.
    truth = np.array([[1, 1, 0, 0]], np.uint8)
    prediction = np.array([[1, 1, 2, 0]], np.uint8)
    dice = scores_of(truth, prediction, 4)["dice"]
    assert dice == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert mean_over_classes(dice) == pytest.approx(0.5)


@pytest.mark.parametrize(("rule", "value"), [("exclude", np.nan), ("one", 1.0), ("zero", 0.0)])
def test_the_empty_mask_rule(rule, value):
    ruled = apply_empty_rule(np.array([0.25, np.nan]), rule)
    assert ruled == pytest.approx([0.25, value], nan_ok=True)


def test_masks_of_different_size_are_refused_with_both_sizes():
    with pytest.raises(ShapeError, match="7x5 and 4x3"):
        confusion_matrix(np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8), 2)


def test_an_index_without_a_class_is_refused():
    with pytest.raises(MaskError, match="below 2; found 3"):
        confusion_matrix(np.full((2, 2), 3, np.uint8), np.zeros((2, 2), np.uint8), 2)


@given(truth=masks, prediction=masks)
def test_dice_and_iou_are_symmetric_bounded_and_tied_to_each_other(truth, prediction):
    forth, back = scores_of(truth, prediction), scores_of(prediction, truth)
    for name in ("dice", "iou"):
        np.testing.assert_array_equal(forth[name], back[name])
        known = forth[name][~np.isnan(forth[name])]
        assert ((known >= 0) & (known <= 1)).all()
    np.testing.assert_array_equal(forth["precision"], back["recall"])
    np.testing.assert_allclose(forth["iou"], forth["dice"] / (2 - forth["dice"]))


@given(truth=masks, prediction=masks, axis=st.integers(0, 1))
def test_flipping_both_masks_changes_nothing(truth, prediction, axis):
    flipped = confusion_matrix(np.flip(truth, axis), np.flip(prediction, axis), 3)
    np.testing.assert_array_equal(flipped, confusion_matrix(truth, prediction, 3))


@given(mask=masks)
def test_a_mask_agrees_with_itself(mask):
    dice = scores_of(mask, mask)["dice"]
    assert ((dice == 1) | np.isnan(dice)).all()
    np.testing.assert_array_equal(np.isnan(dice), [not (mask == label).any() for label in (1, 2)])


def test_ignored_pixels_count_in_no_score():
    """As if the image ended before them: pixels, lesions, surfaces and probabilities."""
    rng = np.random.default_rng(4)
    truth = np.zeros((20, 24), np.uint8)
    truth[3:8, 4:9] = truth[12:15, 2:4] = 1
    foreground = np.where(np.roll(truth, 1, 1) > 0, 0.8, 0.1).astype(np.float32)
    foreground = np.clip(foreground + rng.normal(0, 0.05, truth.shape), 0, 1).astype(np.float32)
    foreground[16, 10] = 0.9  # a false alarm
    probabilities = np.stack([1 - foreground, foreground], axis=-1)
    marked = truth.copy()
    marked[:, 16:] = IGNORED
    probabilities[5:9, 17:21] = [0.1, 0.9]  # a region in what is ignored
    calibration = Calibration("valid", 3, 1.5, 0.4, 0.3, 0.2, 0.7, 0.8)
    found = score_image(marked, None, probabilities=probabilities, calibration=calibration)
    cut = score_image(truth[:, :16], None, probabilities=probabilities[:, :16], calibration=calibration)
    for name in ("confusion", "surface"):
        np.testing.assert_array_equal(getattr(found, name), getattr(cut, name))
    for name in ("lesions", "candidates", "probability", "scaled"):
        for one, two in zip(getattr(found, name), getattr(cut, name), strict=True):
            np.testing.assert_allclose(one, two)
    assert found.dice_at_threshold == cut.dice_at_threshold
