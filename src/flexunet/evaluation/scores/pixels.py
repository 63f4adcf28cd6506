"""Pixel scores: what of the truth was found, what of the prediction is true. Counts first, ratios after.

Everything is computed from one confusion matrix an image, so pooling is adding. An index of nothing over
nothing is NaN here; `apply_empty_rule` says what becomes of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.color_map import IGNORED
from flexunet.errors import MaskError, ShapeError
from flexunet.evaluation.scores.row import ImageScore, Summary, Values

Counts = NDArray[np.int64]

PIXEL_SCORES = (
    ImageScore(
        name="dice",
        column="dice_per_image",
        label="Dice",
        better="higher",
        definition="Twice the common pixels over the pixels of truth and prediction.",
        undefined="class in neither",
        source="Dice, L. R. (1945), Ecology 26(3), 297-302",
        summaries=(
            Summary("mean", ("console", "classes", "headline", "card", "tiles", "comparison", "readers")),
            Summary("median", ("console",)),
            Summary("pooled", ("console", "classes", "card", "tiles", "comparison")),
        ),
        terms=lambda correct, truth, predicted: (2 * correct, truth + predicted),
        empty_rule=True,
    ),
    ImageScore(
        name="iou",
        column="iou_per_image",
        label="intersection over union",
        better="higher",
        definition="Common pixels over the pixels that truth or prediction has.",
        undefined="class in neither",
        source="Jaccard, P. (1912), New Phytologist 11(2), 37-50",
        summaries=(
            Summary("mean", ("console", "classes", "comparison")),
            Summary("median"),
            Summary("pooled"),
        ),
        terms=lambda correct, truth, predicted: (correct, truth + predicted - correct),
        empty_rule=True,
    ),
    ImageScore(
        name="precision",
        column="precision_per_image",
        label="precision",
        better="higher",
        definition="Common pixels over those of the prediction.",
        undefined="nothing predicted",
        summaries=(Summary("mean"), Summary("pooled", ("console", "comparison"))),
        terms=lambda correct, truth, predicted: (correct, predicted),
    ),
    ImageScore(
        name="recall",
        column="recall_per_image",
        label="recall",
        better="higher",
        definition="Common pixels over those of the truth.",
        undefined="nothing true",
        summaries=(Summary("mean"), Summary("pooled", ("console", "comparison"))),
        terms=lambda correct, truth, predicted: (correct, truth),
    ),
)


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int) -> Counts:
    """Pixels by true class (row) and predicted class (column).

    Args:
        truth: Class indices, uint8 array `(H, W)`; `IGNORED` marks pixels that do not count.
        prediction: Class indices, same shape.
        num_classes: Number of classes, background included.

    Returns:
        Int64 array `(num_classes, num_classes)`; its sum is `H * W`, less the ignored pixels.

    Raises:
        ShapeError: if the shapes differ.
        MaskError: if an index is not below `num_classes`.
    """
    if truth.shape != prediction.shape:
        raise ShapeError(
            f"truth and prediction must have one size; found {_size(truth)} and {_size(prediction)} "
            "(width x height). Predictions belong at the size of the masks they are scored against."
        )
    if num_classes <= IGNORED and int(truth.max(initial=0)) == IGNORED:
        counted = truth != IGNORED
        truth, prediction = truth[counted], prediction[counted]
    highest = max(int(truth.max(initial=0)), int(prediction.max(initial=0)))
    if highest >= num_classes:
        raise MaskError(
            f"class indices must be below {num_classes}; found {highest}. Check rgb_map or num_classes."
        )
    codes = truth.astype(np.intp)
    codes *= num_classes
    codes += prediction
    return (
        np.bincount(codes.ravel(), minlength=num_classes**2)
        .reshape(num_classes, num_classes)
        .astype(np.int64)
    )


def _size(mask: NDArray[np.uint8]) -> str:
    return "x".join(str(length) for length in reversed(mask.shape))


def foreground_counts(confusion: Counts) -> tuple[Counts, Counts, Counts]:
    """Correct, true and predicted pixels of the foreground classes.

    Args:
        confusion: Int64 array `(..., C, C)`, true class in the row.

    Returns:
        Three int64 arrays `(..., C - 1)`.
    """
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)[..., 1:]
    return correct, confusion.sum(axis=-1)[..., 1:], confusion.sum(axis=-2)[..., 1:]


def ratio(numerator: NDArray, denominator: NDArray) -> Values:
    """Quotient, NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator != 0)


def pixel_scores(correct: Counts, truth: Counts, predicted: Counts) -> dict[str, Values]:
    """The scores of `PIXEL_SCORES` from pixel counts of any one shape.

    Args:
        correct: Pixels of a class in truth and prediction.
        truth: Pixels of the class in truth.
        predicted: Pixels of the class in the prediction.

    Returns:
        Float64 arrays by name, NaN where a score does not exist.
    """
    counts = tuple(np.asarray(pixels) for pixels in (correct, truth, predicted))
    return {row.name: ratio(*row.terms(*counts)) for row in PIXEL_SCORES if row.terms}


def mean_over_classes(values: Values) -> Values:
    """Mean over the last axis of what is not NaN; NaN where all is.

    With Dice per image and class this is, for each image, the mean over the foreground classes that occur
    in truth or prediction.
    """
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def apply_empty_rule(values: Values, rule: str) -> Values:
    """Replace the NaN of images in which there was nothing to find and nothing was found.

    Args:
        values: Scores, NaN where the class is in neither mask.
        rule: `exclude` (stays NaN, left out of means), `one` or `zero`.

    Returns:
        A new array of the same shape.
    """
    if rule == "exclude":
        return values.copy()
    return np.where(np.isnan(values), 1.0 if rule == "one" else 0.0, values)
