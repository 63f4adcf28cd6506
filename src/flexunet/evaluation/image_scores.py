"""All scores of one image: pixels, boundaries, lesions, and the bins of its probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.errors import ShapeError
from flexunet.evaluation.calibration import ProbabilityCounts, count_probabilities
from flexunet.evaluation.lesion_scores import Candidates, Lesions, lesion_scores
from flexunet.evaluation.pixel_scores import Counts, Values, confusion_matrix
from flexunet.evaluation.rules import ScoringRules
from flexunet.evaluation.surface_scores import NOTHING, surface_scores
from flexunet.inference.predictor import mask_of


class ImageScores(NamedTuple):
    """What is kept of one image: a few hundred bytes, whatever its size.

    Attributes:
        size: Height and width.
        spacing: Height and width of a pixel in mm, NaN where unknown.
        confusion: Pixels by true (row) and predicted class, int64 `(C, C)`.
        surface: Hausdorff 95 and average surface distance in pixels, boundary Dice, `(C - 1, 3)`.
        surface_mm: The two distances in mm, `(C - 1, 2)`.
        lesions: True lesions.
        candidates: Predicted regions.
        probability: Bins of the foreground probability, None for hard masks.
    """

    size: tuple[int, int]
    spacing: tuple[float, float]
    confusion: Counts
    surface: Values
    surface_mm: Values
    lesions: Lesions
    candidates: Candidates
    probability: ProbabilityCounts | None


def decide(probabilities: NDArray[np.float32], threshold: float | None = None) -> NDArray[np.uint8]:
    """Class of each pixel.

    Args:
        probabilities: Float32 `(H, W, C)`; with one channel it is the probability of class 1.
        threshold: None for the most probable class (one channel: above 0.5). Otherwise a pixel is foreground
            where background leaves at least this probability, and takes its most probable foreground class.

    Returns:
        Class indices, uint8 `(H, W)`.
    """
    if threshold is None:
        return mask_of(probabilities)
    inside = foreground_probability(probabilities) >= threshold
    if probabilities.shape[-1] <= 2:
        return inside.view(np.uint8)
    return np.where(inside, 1 + probabilities[..., 1:].argmax(axis=-1), 0).astype(np.uint8)


def foreground_probability(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability that a pixel is not background, `(H, W)`."""
    if probabilities.shape[-1] <= 2:
        return probabilities[..., -1]
    return np.clip(1 - probabilities[..., 0], 0, 1)


def two_channels(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities with a channel for background, made where a sigmoid model has none."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=-1)


def score_image(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8] | None,
    num_classes: int,
    rules: ScoringRules,
    *,
    probabilities: NDArray[np.float32] | None = None,
    spacing: tuple[float, float] | None = None,
) -> ImageScores:
    """Score one image.

    Args:
        truth: Class indices, uint8 `(H, W)`.
        prediction: Class indices, same shape; None takes the most probable class.
        num_classes: Number of classes, background included (at least 2).
        rules: The rules.
        probabilities: Float32 `(H, W, num_classes)`, or `(H, W, 1)` of a sigmoid model, or None.
        spacing: Height and width of a pixel in mm, where known.

    Returns:
        The scores.

    Raises:
        ShapeError: if the shapes differ or there is neither a prediction nor probabilities.
        MaskError: if a class index is out of range.
    """
    if probabilities is not None:
        if probabilities.shape[:2] != truth.shape or probabilities.shape[2] not in (1, num_classes):
            raise ShapeError(
                f"probabilities must have shape {(*truth.shape, num_classes)}, as the truth and the classes "
                f"demand; found {probabilities.shape}."
            )
        prediction = decide(probabilities) if prediction is None else prediction
        probabilities = two_channels(probabilities)
    if prediction is None:
        raise ShapeError("expected a predicted mask or probabilities; found neither.")
    confusion = confusion_matrix(truth, prediction, num_classes)
    surface, surface_mm = _surfaces(truth, prediction, confusion, rules, spacing)
    lesions, candidates = lesion_scores(truth, prediction, num_classes, rules, probabilities)
    return ImageScores(
        size=(truth.shape[0], truth.shape[1]),
        spacing=spacing or (np.nan, np.nan),
        confusion=confusion,
        surface=surface,
        surface_mm=surface_mm,
        lesions=lesions,
        candidates=candidates,
        probability=None
        if probabilities is None
        else count_probabilities(truth, foreground_probability(probabilities), rules.calibration_bins),
    )


def _surfaces(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    confusion: Counts,
    rules: ScoringRules,
    spacing: tuple[float, float] | None,
) -> tuple[Values, Values]:
    """Surface scores of each foreground class in pixels, and its distances in mm."""
    count = len(confusion) - 1
    pixels, mm = np.tile(np.asarray(NOTHING), (count, 1)), np.full((count, 2), np.nan)
    if not rules.surface_scores:
        return pixels, mm
    for label in range(1, count + 1):
        if not confusion[label].any() and not confusion[:, label].any():
            continue
        planes = (truth == label).view(np.uint8), (prediction == label).view(np.uint8)
        pixels[label - 1] = surface_scores(*planes, rules.boundary_tolerance)
        if spacing is None:
            continue
        if spacing[0] == spacing[1]:
            mm[label - 1] = pixels[label - 1, :2] * spacing[0]
        else:
            mm[label - 1] = surface_scores(*planes, rules.boundary_tolerance, spacing)[:2]
    return pixels, mm
