"""All scores of one image: pixels, boundaries, lesions, and the bins of its probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored
from flexunet.errors import ShapeError
from flexunet.evaluation.scores.lesions import Candidates, Lesions, lesion_scores
from flexunet.evaluation.scores.pixels import (
    Counts,
    confusion_matrix,
    foreground_counts,
    mean_over_classes,
    pixel_scores,
)
from flexunet.evaluation.scores.reliability import ProbabilityCounts, count_probabilities
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.scores.surface import SURFACE_SCORES, score_boundaries
from flexunet.inference.predict.calibration import Calibration
from flexunet.inference.predict.probabilities import foreground_probability, mask_of, two_channels


class ImageScores(NamedTuple):
    """What is kept of one image: a few hundred bytes, whatever its size.

    Attributes:
        size: Height and width.
        spacing: Height and width of a pixel in mm, NaN where unknown.
        confusion: Pixels by true (row) and predicted class, int64 `(C, C)`.
        surface: The scores of `SURFACE_SCORES` of each foreground class, `(C - 1, rows)`.
        lesions: True lesions.
        candidates: Predicted regions.
        probability: Bins of the foreground probability, None for hard masks.
        scaled: The same after temperature scaling, None where nothing was fitted.
        dice_at_threshold: Mean Dice of the classes that occur, at the fitted threshold; NaN if unknown.
        breast: Share of the image that the breast covers; NaN where the image is not at hand.
    """

    size: tuple[int, int]
    spacing: tuple[float, float]
    confusion: Counts
    surface: Values
    lesions: Lesions
    candidates: Candidates
    probability: ProbabilityCounts | None = None
    scaled: ProbabilityCounts | None = None
    dice_at_threshold: float = float("nan")
    breast: float = float("nan")

    def __repr__(self) -> str:
        height, width = self.size
        told = ", ".join(
            f"{name} {value:.3f}" for name, value in self.values().items() if not np.isnan(value)
        )
        return f"<ImageScores of {width} x {height} pixels: {told or 'nothing in truth and prediction'}>"

    def values(self) -> dict[str, float]:
        """Each score of pixels and surfaces by its name: the mean over the foreground classes that occur.

        Distances are in pixels, or in mm where the name says so; NaN where a score does not exist.
        """
        by_class = pixel_scores(*foreground_counts(self.confusion))
        by_class |= {row.name: self.surface[:, k] for k, row in enumerate(SURFACE_SCORES)}
        return {name: float(mean_over_classes(scores)) for name, scores in by_class.items()}


def score_image(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8] | None,
    num_classes: int = 2,
    rules: ScoringRules = ScoringRules(),
    *,
    probabilities: NDArray[np.float32] | None = None,
    spacing: tuple[float, float] | None = None,
    calibration: Calibration | None = None,
    numbers: NDArray[np.uint8] | None = None,
) -> ImageScores:
    """Score the predicted mask of one image against its true mask.

    Args:
        truth: Class indices, uint8 `(H, W)`; `IGNORED` marks pixels that count in no score: a lesion, or a
            predicted region, is what of it lies beside them.
        prediction: Class indices, same shape; None takes the most probable class.
        num_classes: Number of classes, background included (at least 2).
        rules: The rules.
        probabilities: Float32 `(H, W, num_classes)`, or `(H, W, 1)` of a sigmoid model, or None.
        spacing: Height and width of a pixel in mm, where known.
        calibration: Temperature and threshold fitted on the validation split, where known.
        numbers: The lesion of each pixel of the truth, where components do not tell lesions apart.

    Returns:
        The scores.

    Raises:
        ShapeError: if the shapes differ or there is neither a prediction nor probabilities.
        MaskError: if a class index is out of range.

    Examples:
        >>> import numpy as np
        >>> truth, prediction = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
        >>> truth[2:4, 2:6] = 1
        >>> prediction[2:4, 2:5] = 1
        >>> scores = flexunet.score_image(truth, prediction)
        >>> round(scores.values()["dice"], 3), round(scores.values()["iou"], 3)
        (0.857, 0.75)
    """
    if probabilities is not None:
        if probabilities.shape[:2] != truth.shape or probabilities.shape[2] not in (1, num_classes):
            raise ShapeError(
                f"probabilities must have shape {(*truth.shape, num_classes)}, as the truth and the classes "
                f"demand; found {probabilities.shape}."
            )
        prediction = mask_of(probabilities) if prediction is None else prediction
        probabilities = two_channels(probabilities)
    if prediction is None:
        raise ShapeError("expected a predicted mask or probabilities; found neither.")
    confusion = confusion_matrix(truth, prediction, num_classes)
    marked, (truth, ignored) = truth, without_ignored(truth) if num_classes <= IGNORED else (truth, None)
    if ignored is not None:
        prediction = np.where(ignored, np.uint8(0), prediction)
        if probabilities is not None:
            sure = np.eye(1, num_classes, dtype=np.float32)
            probabilities = np.where(ignored[..., None], sure, probabilities)
    lesions, candidates = lesion_scores(truth, prediction, num_classes, rules, probabilities, numbers)
    scores = ImageScores(
        size=(truth.shape[0], truth.shape[1]),
        spacing=spacing or (np.nan, np.nan),
        confusion=confusion,
        surface=_surfaces(truth, prediction, confusion, rules, spacing),
        lesions=lesions,
        candidates=candidates,
    )
    if probabilities is None:
        return scores
    counted = ... if ignored is None else ~ignored
    truth, bins, inside = (
        truth[counted],
        rules.calibration_bins,
        foreground_probability(probabilities)[counted],
    )
    scores = scores._replace(probability=count_probabilities(truth, inside, bins))
    if calibration is None:
        return scores
    mask = mask_of(probabilities, calibration.threshold)
    if (done := calibration.postprocess) is not None and done.threshold == calibration.threshold:
        mask = done(mask)
    counts = foreground_counts(confusion_matrix(marked, mask, num_classes))
    scaled = foreground_probability(calibration.scale(probabilities))[counted]
    return scores._replace(
        scaled=count_probabilities(truth, scaled, bins, inside),
        dice_at_threshold=float(mean_over_classes(pixel_scores(*counts)["dice"])),
    )


def _surfaces(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    confusion: Counts,
    rules: ScoringRules,
    spacing: tuple[float, float] | None,
) -> Values:
    """The scores of `SURFACE_SCORES` of each foreground class; NaN where none are asked for."""
    count = len(confusion) - 1
    scores = np.full((count, len(SURFACE_SCORES)), np.nan)
    if not rules.surface_scores:
        return scores
    for label in range(1, count + 1):
        if confusion[label].any() or confusion[:, label].any():
            planes = (truth == label).view(np.uint8), (prediction == label).view(np.uint8)
            scores[label - 1] = score_boundaries(*planes, rules, spacing)
    return scores
