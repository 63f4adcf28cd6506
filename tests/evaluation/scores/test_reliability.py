"""Calibration: bins by hand, Brier, temperature and threshold from a known truth, never on test."""

import numpy as np
import pytest

from flexunet.errors import DatasetError
from flexunet.evaluation.calibration_fit import CalibrationFit, dice_by_threshold
from flexunet.evaluation.scores.reliability import (
    brier_score,
    count_probabilities,
    empty_brier_score,
    expected_calibration_error,
)
from flexunet.inference.predict.calibration import Calibration, apply_temperature


def channels(foreground):
    return np.stack([1 - foreground, foreground], axis=-1).astype(np.float32)


def test_bins_and_scores_worked_by_hand():
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    probability = np.array([[0.0, 0.2, 0.4, 0.9]], np.float32)
    counts = count_probabilities(truth, probability, 2)
    assert counts.pixels.tolist() == [[3, 1], [2, 1]]  # all pixels; those of 1 % or more
    assert counts.probability == pytest.approx(np.array([[0.6, 0.9], [0.6, 0.9]]))
    assert counts.foreground.tolist() == [[1, 1], [1, 1]]
    # All: |0.6 - 1| + |0.9 - 1| over 4. In play: the same over 3.
    assert expected_calibration_error(counts) == pytest.approx([0.5 / 4, 0.5 / 3])
    assert brier_score(counts)[0] == pytest.approx((0 + 0.04 + 0.36 + 0.01) / 4)
    assert empty_brier_score(counts)[0] == pytest.approx(2 / 4)


def test_scaling_does_not_change_which_pixels_are_in_play():
    truth, before = np.array([[1, 0]], np.uint8), np.array([[0.5, 0.02]], np.float32)
    after = np.array([[0.5, 0.001]], np.float32)
    assert count_probabilities(truth, after, 2).pixels[1].sum() == 1
    assert count_probabilities(truth, after, 2, before).pixels[1].sum() == 2


def test_a_probability_of_one_falls_into_the_last_bin():
    counts = count_probabilities(np.ones((1, 1), np.uint8), np.ones((1, 1), np.float32), 10)
    assert counts.pixels[0].tolist() == [0] * 9 + [1]


def overconfident(rng, temperature, shape=(64, 64)):
    """Truth drawn from true probabilities, and probabilities that are too sharp by a temperature."""
    logits = rng.normal(-1, 1.5, shape)
    truth = (rng.random(shape) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    return truth, channels(1 / (1 + np.exp(-logits * temperature)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature):
    rng = np.random.default_rng(5)
    fit = CalibrationFit("valid")
    for _ in range(12):
        fit.add(*overconfident(rng, temperature))
    found = fit.fit()
    assert found.temperature == pytest.approx(temperature, rel=0.08)
    assert found.log_loss_after <= found.log_loss_before
    truth, probabilities = overconfident(rng, temperature, (300, 300))
    errors = [
        expected_calibration_error(count_probabilities(truth, each[..., 1], 15))[0]
        for each in (probabilities, found.scale(probabilities))
    ]
    assert errors[1] < 0.02
    assert errors[1] <= errors[0] + 1e-6 or temperature == 1.0


def test_scaling_two_channels_equals_the_softmax_of_scaled_logits():
    rng = np.random.default_rng(1)
    two, three = channels(rng.random((4, 5))), rng.dirichlet([1, 1, 1], (4, 5)).astype(np.float32)
    for probabilities in (two, three):
        powers = probabilities.astype(float) ** (1 / 2.5)
        expected = powers / powers.sum(axis=-1, keepdims=True)
        assert apply_temperature(probabilities, 2.5) == pytest.approx(expected, abs=1e-5)
    assert apply_temperature(two, 1.0) is two


def test_dice_by_threshold_worked_by_hand():
    # One image, four bins. Foreground pixels at 0.8 and 0.3, background at 0.6, 0.1 and 0.0.
    histogram = np.array([[[2, 0, 1, 0], [0, 1, 0, 1]]])
    # From 0: 2 right of 5 named; from 0.25: 2 of 3; from 0.5: 1 of 2; from 0.75: 1 of 1. Two are true.
    assert dice_by_threshold(histogram) == pytest.approx([4 / 7, 4 / 5, 2 / 4, 2 / 3])


def test_the_threshold_with_the_best_dice_is_chosen():
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 1
    foreground = np.where(truth > 0, 0.3, 0.05)
    foreground[0, 0] = 0.2
    fit = CalibrationFit("valid")
    fit.add(truth, channels(foreground))
    found = fit.fit()
    assert 0.2 < found.threshold <= 0.3
    assert found.dice_at_threshold == pytest.approx(1.0)  # above 0.2, so without the false pixel
    assert found.dice_at_half == pytest.approx(0.0)


def test_one_sigmoid_channel_is_understood():
    fit = CalibrationFit("valid")
    truth, probabilities = overconfident(np.random.default_rng(2), 1.0)
    fit.add(truth, probabilities[..., 1:])
    assert fit.fit().scale(probabilities[..., 1:]).shape == (64, 64, 2)


def test_nothing_is_fitted_on_test(tmp_path):
    with pytest.raises(DatasetError, match="must not be fitted on the test split"):
        CalibrationFit("test")
    Calibration("valid", 3, 1.2, 0.4, 0.3, 0.2, 0.7, 0.8, "abc").write(tmp_path)
    path = tmp_path / "calibration.json"
    path.write_text(path.read_text().replace('"valid"', '"test"'))
    with pytest.raises(DatasetError, match="must not be fitted on the test split"):
        Calibration.read(tmp_path)


def test_a_calibration_survives_the_disk(tmp_path):
    assert Calibration.read(tmp_path) is None
    calibration = Calibration("valid", 3, 1.2345678901, 0.4, 0.3, 0.2, 0.7, 0.8, "abc")
    calibration.write(tmp_path)
    assert Calibration.read(tmp_path) == calibration
    (tmp_path / "calibration.json").write_text("[]")
    with pytest.raises(DatasetError, match="is not a calibration"):
        Calibration.read(tmp_path)


def test_no_images_no_fit():
    with pytest.raises(DatasetError, match="no images to fit"):
        CalibrationFit("valid").fit()
