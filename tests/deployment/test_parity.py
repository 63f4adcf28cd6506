"""The comparison, on figures worked by hand."""

import math

import numpy as np
import pytest

from flexunet.deployment.parity import ComparedImage, compare, dice_per_image_mean, dice_pooled


class Answers:
    """A predictor that has its answers by image: the image is its index."""

    classes = 2

    def __init__(self, *foreground):
        self.foreground = foreground

    def __call__(self, image):
        probability = np.array(self.foreground[int(image[0, 0])], np.float32)[np.newaxis]
        return np.stack([1 - probability, probability], axis=-1)


def compared(index, *truth):
    mask = None if not truth else np.array([truth], np.uint8)
    return ComparedImage(f"{index}.png", np.full((1, 4), index), mask)


def test_figures_by_hand():
    run = Answers([0.9, 0.9, 0.2, 0.1], [0.1, 0.1, 0.1, 0.8])
    export = Answers([0.9, 0.4, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7])
    found = compare(run, export, [compared(0, 1, 1, 0, 0), compared(1, 0, 0, 1, 1)], lambda item: item)
    assert found.largest_difference == pytest.approx(0.5)
    assert found.largest_difference_in == "0.png"
    assert found.mean_difference == pytest.approx((0.5 / 4 + 0.1 / 4) / 2)
    assert found.agreement == 7 / 8
    assert found.identical_masks == 1
    # Image 0: 2 of 2 found, then 1 of 2; image 1: 1 of 2 in both.
    assert found.dice_per_image_mean == pytest.approx(((1 + 2 / 3) / 2, (2 / 3 + 2 / 3) / 2))
    assert found.dice_pooled == pytest.approx((2 * 3 / 7, 2 * 2 / 6))
    assert found.dice_change == pytest.approx(6 / 7 - 2 / 3)
    assert found.truth == "masks of the validation split"


def test_an_export_that_alone_finds_something_is_infinitely_far():
    nothing, something = Answers([0.1] * 4), Answers([0.9, 0.1, 0.1, 0.1])
    found = compare(nothing, something, [compared(0, 0, 0, 0, 0)], lambda item: item)
    assert math.isinf(found.dice_change)
    assert found.document()["dice_change"] is None
    assert found.document()["dice_per_image_mean"] == {"run": None, "export": 0.0}
    alike = compare(nothing, nothing, [compared(0, 0, 0, 0, 0)], lambda item: item)
    assert alike.dice_change == 0.0


def test_without_truth_the_change_is_between_the_masks():
    run, export = Answers([0.9, 0.9, 0.9, 0.1]), Answers([0.9, 0.9, 0.1, 0.1])
    found = compare(run, export, [compared(0)], lambda item: item)
    assert found.truth == "masks of the run's own model"
    assert found.dice_pooled == pytest.approx((1.0, 0.8))


def test_dice_of_several_classes():
    confusions = np.array([[[5, 0, 0], [0, 3, 1], [0, 0, 0]], [[9, 0, 0], [0, 0, 0], [0, 0, 0]]])
    # Class 1: 2 * 3 / (4 + 3); class 2: nothing of one pixel. The second image has no foreground.
    assert dice_per_image_mean(confusions) == pytest.approx((6 / 7 + 0) / 2)
    assert dice_pooled(confusions) == pytest.approx((6 / 7 + 0) / 2)
