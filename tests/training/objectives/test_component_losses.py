"""Losses by components: worked by hand, equal weight of small lesions, and through training."""

import keras
import numpy as np
import pytest

from flexunet.training.batches.cells import cells_of
from flexunet.training.deep_supervision import averaged_to
from flexunet.training.objectives.component_losses import blob_dice, component_crossentropy, component_dice
from flexunet.training.objectives.lesion_losses import dice
from flexunet.training.objectives.named import get_loss, get_metric


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def example():
    """A lesion of 1 pixel that is missed, one of 4 that is found with 0.5, a false alarm of 1 beside it."""
    mask = np.zeros((1, 2, 8), np.uint8)
    mask[0, 0, 0] = mask[0, :, 6:] = 1
    lesion = np.zeros((1, 2, 8), np.float32)
    lesion[0, :, 6:] = 0.5
    lesion[0, 0, 5] = 1.0
    truth = np.eye(2, dtype="float32")[mask]
    return truth, np.stack([1 - lesion, lesion], -1), cells_of(mask, 2)


@pytest.mark.engines
def test_by_hand():
    truth, guess, cells = example()
    small, large = 1 - (0 + 1) / (1 + 0 + 1), 1 - (2 * 2 + 1) / (4 + 3 + 1)
    assert numbers(component_dice(truth, guess, cells)) == pytest.approx([(small + large) / 2])
    # As a blob, the small lesion meets the false alarm too: 1 guessed outside of all lesions.
    blob_small, blob_large = 1 - 1 / (1 + 1 + 0 + 1), 1 - 5 / (4 + 1 + 2 + 1)
    assert numbers(blob_dice(truth, guess, cells)) == pytest.approx([(blob_small + blob_large) / 2])


@pytest.mark.engines
def test_cross_entropy_by_hand():
    """A quarter of certainty in one cell of 4 pixels, a half in the other of 2."""
    mask = np.array([[[1, 0, 0, 0, 0, 1]]], np.uint8)
    truth = np.eye(2, dtype="float32")[mask]
    cells = cells_of(mask, 2)
    cells[0, 0, :, 0] = [1, 1, 1, 1, 2, 2]
    right = np.array([0.25, 1, 1, 1, 0.5, 0.5], "float32")
    guess = np.where(truth[0, 0] == 1, right[:, None], 1 - right[:, None])[None, None]
    expected = (-np.log(0.25) / 4 + -np.log(0.5)) / 2
    assert numbers(component_crossentropy(truth, guess.astype("float32"), cells)) == pytest.approx([expected])


@pytest.mark.engines
def test_one_component_is_the_whole_image():
    random = np.random.default_rng(3)
    mask = np.zeros((2, 6, 7), np.uint8)
    mask[0, 2:4, 2:5] = 1
    guess = random.random((2, 6, 7, 1), dtype="float32")
    truth = mask[..., None].astype("float32")
    cells = cells_of(mask, 1)
    found = numbers(component_dice(truth, guess, cells))
    np.testing.assert_allclose(numbers(blob_dice(truth, guess, cells)), found, rtol=1e-6)
    # `dice` squares the denominator; on hard guesses both are the same.
    hard = (guess > 0.5).astype("float32")
    expected = numbers(dice(truth, hard))
    np.testing.assert_allclose(numbers(component_dice(truth, hard, cells)), expected, rtol=1e-6)


@pytest.mark.engines
def test_in_a_sum_with_others_whose_truth_has_no_cells():
    truth, guess, cells = example()
    targets = np.concatenate([truth, cells], -1)
    together = get_loss("component_dice + 2*dice", 2)
    expected = numbers(component_dice(truth, guess, cells)) + 2 * numbers(dice(truth, guess))
    assert float(together(targets, guess)) == pytest.approx(float(expected[0]), rel=1e-6)
    metric = get_metric("dice_coef_foreground")
    metric.update_state(targets, guess)
    alone = get_metric("dice_coef_foreground")
    alone.update_state(truth, guess)
    assert float(metric.result()) == float(alone.result())


@pytest.mark.parametrize("name", ["component_dice", "component_crossentropy", "blob_dice"])
def test_as_a_metric_an_image_is_one_cell(name):
    truth, guess, _ = example()
    metric = get_metric(name)
    metric.update_state(truth, guess)
    expected = get_loss(name, 2)(np.concatenate([truth, np.ones((1, 2, 8, 1), "float32")], -1), guess)
    assert float(metric.result()) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.engines
def test_coarser_levels_keep_whole_numbers_of_cells():
    truth, _, cells = example()
    smaller = numbers(averaged_to(np.concatenate([truth, cells], -1), np.zeros((1, 1, 4, 2), "float32")))
    assert smaller.shape == (1, 1, 4, 3)
    np.testing.assert_allclose(smaller[0, 0, :, 1], [0.25, 0, 0, 1])
    assert set(smaller[..., 2].ravel()) <= set(cells.ravel())
