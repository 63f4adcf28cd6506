"""The published metrics, exactly, in NumPy: on probabilities, and on hard masks from their pixel counts.

None of them is a lesion Dice. `dice_coef_multiclass` sums over the class axis as well as over pixels,
background included, so it is close to pixel accuracy: on a mammogram whose lesion covers 1 % of the pixels an
empty prediction scores 0.99. That is why each metric is shown beside what an empty prediction would score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.pixels import Counts
from flexunet.evaluation.scores.row import Values

SMOOTH = 1.0
EPSILON = 1e-6
# As single precision holds them: 1 - 1e-7 is 1 - 1.19e-7 there, which the published values show.
LEAST, MOST = float(np.float32(1e-7)), float(np.float32(1 - 1e-7))

PUBLISHED_METRICS = ("dice_coef_multiclass", "dice_coef_foreground", "dice_coef_hybrid")


class ClassSums(NamedTuple):
    """What the published metrics are made of: sums over height and width, arrays `(N, C)`."""

    product: Values
    truth: Values
    prediction: Values

    @classmethod
    def of_probabilities(cls, truth: NDArray, probabilities: NDArray) -> ClassSums:
        """Sums of one-hot truth and probabilities, both `(N, H, W, C)`."""
        truth, probabilities = np.asarray(truth, np.float64), np.asarray(probabilities, np.float64)
        axes = (1, 2)
        return cls((truth * probabilities).sum(axes), truth.sum(axes), probabilities.sum(axes))

    @classmethod
    def of_confusion(cls, confusion: Counts) -> ClassSums:
        """Sums of hard masks, from confusion matrices `(N, C, C)` with the true class in the row."""
        correct = np.diagonal(confusion, axis1=-2, axis2=-1)
        return cls(correct.astype(float), confusion.sum(-1).astype(float), confusion.sum(-2).astype(float))

    def empty_prediction(self) -> ClassSums:
        """The same truth beside a prediction that is background everywhere.

        With one channel the background has none, so that an empty prediction is 0 everywhere.
        """
        empty = np.zeros_like(self.prediction)
        if empty.shape[1] > 1:
            empty[:, 0] = self.truth.sum(axis=1)
        return ClassSums(self.truth * (empty > 0), self.truth, empty)


def dice_coef_multiclass(sums: ClassSums) -> Values:
    """Published `dice_coef_multiclass` of each image: sums over height, width and class, smooth 1.

    Args:
        sums: Sums of N images.

    Returns:
        Float64 array `(N,)`; the published value of a batch is its mean.
    """
    total = sums.truth.sum(1) + sums.prediction.sum(1)
    return (2 * sums.product.sum(1) + SMOOTH) / (total + SMOOTH)


def dice_coef_foreground(sums: ClassSums) -> Values:
    """Published `dice_coef_foreground` of each image: classes 1.. only, epsilon 1e-6.

    A class that is in neither truth nor prediction scores 1, so images without lesions lift the mean.

    Args:
        sums: Sums of N images.

    Returns:
        Float64 array `(N,)`: the mean over classes; with one channel the channel's own value.
    """
    first = 1 if sums.truth.shape[1] > 1 else 0
    product, truth, prediction = (values[:, first:] for values in sums)
    return ((2 * product + EPSILON) / (truth + prediction + EPSILON)).mean(axis=1)


def dice_coef_hybrid(sums: ClassSums) -> Values:
    """Published `dice_coef_hybrid` of each image: the mean of the two others, array `(N,)`."""
    return (dice_coef_multiclass(sums) + dice_coef_foreground(sums)) / 2


def published_metric(name: str, sums: ClassSums) -> Values:
    """The metric of a published name, one value an image."""
    return {
        "dice_coef_multiclass": dice_coef_multiclass,
        "dice_coef_foreground": dice_coef_foreground,
        "dice_coef_hybrid": dice_coef_hybrid,
    }[name](sums)


def mean_over_batches(values: Values, batch_size: int) -> float:
    """Mean of batch means, as Keras averages a metric: an uneven last batch counts fully."""
    starts = np.arange(0, len(values), batch_size)
    sizes = np.diff(np.append(starts, len(values)))
    return float((np.add.reduceat(values, starts) / sizes).mean()) if len(values) else float("nan")


def categorical_crossentropy(truth: NDArray, probabilities: NDArray) -> float:
    """Mean categorical cross-entropy over all pixels.

    Args:
        truth: One-hot, `(N, H, W, C)`.
        probabilities: Same shape; scaled to sum 1, then clipped to [1e-7, 1 - 1e-7].

    Returns:
        The mean.
    """
    probabilities = np.asarray(probabilities, np.float64)
    scaled = probabilities / probabilities.sum(axis=-1, keepdims=True)
    clipped = np.clip(scaled, LEAST, MOST)
    return float(-(np.asarray(truth) * np.log(clipped)).sum(axis=-1).mean())


def empty_crossentropy(foreground_share: float) -> float:
    """Categorical cross-entropy of a prediction that is certain of background everywhere.

    Args:
        foreground_share: Share of pixels that are not background.
    """
    wrong, right = -np.log(LEAST), -np.log(MOST)
    return float(foreground_share * wrong + (1 - foreground_share) * right)
