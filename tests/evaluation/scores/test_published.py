"""The published metrics: the reference's own values, and what an empty prediction scores."""

import json

import numpy as np
import pytest

from flexunet.evaluation.scores.pixels import confusion_matrix
from flexunet.evaluation.scores.published import (
    ClassSums,
    categorical_crossentropy,
    dice_coef_foreground,
    dice_coef_hybrid,
    dice_coef_multiclass,
    empty_crossentropy,
    mean_over_batches,
)

CASES = [
    "rand_c2",
    "rand_c3",
    "rand_c6_nonsquare",
    "rand_c1_sigmoid",
    "allbackground_pred_1pct_lesion",
    "allbackground_pred99_1pct_lesion",
    "empty_mask_perfect",
    "empty_mask_rand_pred",
    "perfect_c3",
    "all_wrong_c2",
    "c1_empty_mask_zero_pred",
    "c1_1pct_lesion_zero_pred",
]


@pytest.mark.parametrize("case", CASES)
def test_the_reference_values(reference, case):
    values = json.loads((reference / "metrics" / "values_keras2.json").read_text())[case]
    with np.load(reference / "metrics" / f"{case}.npz", allow_pickle=False) as arrays:
        truth, probabilities = arrays["y_true"], arrays["y_pred"]
    sums = ClassSums.of_probabilities(truth, probabilities)
    assert dice_coef_multiclass(sums).mean() == pytest.approx(values["dice_coef_multiclass"], rel=1e-5)
    if truth.shape[-1] > 1:
        found = categorical_crossentropy(truth, probabilities)
        assert found == pytest.approx(values["categorical_crossentropy_mean"], rel=1e-5)


def test_the_reference_run_image_by_image(reference):
    with np.load(reference / "run" / "trained_test_io.npz", allow_pickle=False) as arrays:
        truth, probabilities = arrays["Y"], arrays["P"]
    values = json.loads((reference / "run" / "trained_test_eval.json").read_text())
    by_image = dice_coef_multiclass(ClassSums.of_probabilities(truth, probabilities))
    assert by_image == pytest.approx(values["per_image_dice_coef_multiclass"], rel=1e-5)
    loss, metric = values["evaluate_batch4_[loss,dice_coef_multiclass]"]
    assert mean_over_batches(by_image, 4) == pytest.approx(metric, rel=1e-5)
    assert mean_over_batches(by_image, 6) == pytest.approx(values["evaluate_batch6"][1], rel=1e-5)
    assert categorical_crossentropy(truth, probabilities) == pytest.approx(loss, rel=1e-4)


def test_hard_masks_score_as_their_one_hot_probabilities():
    rng = np.random.default_rng(3)
    truth, prediction = rng.integers(0, 3, (2, 4, 6, 5), np.uint8)
    confusion = np.stack([confusion_matrix(*pair, 3) for pair in zip(truth, prediction, strict=True)])
    one_hot = ClassSums.of_probabilities(np.eye(3)[truth], np.eye(3)[prediction])
    for ours, theirs in zip(ClassSums.of_confusion(confusion), one_hot, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_an_empty_prediction_scores_high_where_background_counts():
    truth = np.zeros((1, 10, 10), np.uint8)
    truth[0, 0, 0] = 1
    sums = ClassSums.of_confusion(confusion_matrix(truth[0], np.zeros((10, 10), np.uint8), 2)[None])
    empty = sums.empty_prediction()
    for ours, theirs in zip(sums, empty, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # 99 of 100 pixels agree: (2 * 99 + 1) / (100 + 100 + 1). Foreground: 1e-6 / (1 + 1e-6).
    assert dice_coef_multiclass(empty) == pytest.approx([199 / 201])
    assert dice_coef_foreground(empty) == pytest.approx([1e-6 / (1 + 1e-6)])
    assert dice_coef_hybrid(empty) == pytest.approx([(199 / 201 + 1e-6) / 2], abs=1e-8)


def test_an_empty_prediction_of_one_channel_is_zero_everywhere():
    sums = ClassSums(*(np.array([[value]]) for value in (3.0, 4.0, 5.0)))
    assert sums.empty_prediction().prediction.tolist() == [[0]]
    # c1_1pct_lesion_zero_pred of the reference: 25 of 2500 pixels, (0 + 1) / (25 + 0 + 1).
    lesion = ClassSums(*(np.array([[value]]) for value in (25.0, 25.0, 25.0)))
    assert dice_coef_multiclass(lesion.empty_prediction()) == pytest.approx([1 / 26])


def test_crossentropy_of_an_empty_prediction(reference):
    with np.load(reference / "metrics" / "allbackground_pred_1pct_lesion.npz") as arrays:
        share = float(arrays["y_true"][..., 1].mean())
    assert empty_crossentropy(share) == pytest.approx(0.16118104755878448, rel=1e-4)


def test_an_uneven_last_batch_counts_fully():
    assert mean_over_batches(np.array([1.0, 1.0, 1.0, 1.0, 0.0]), 4) == pytest.approx(0.5)
    assert np.isnan(mean_over_batches(np.array([]), 4))
