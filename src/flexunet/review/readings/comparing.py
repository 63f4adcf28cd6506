"""Two masks of one image: how far they agree, and which lesions of one the other has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flexunet.data.images.color_map import IGNORED
from flexunet.evaluation.scores.lesions import lesion_scores
from flexunet.evaluation.scores.rules import ScoringRules


@dataclass(frozen=True)
class Likeness:
    """How far a mask agrees with another one.

    Attributes:
        dice: Dice coefficient of the pixels above background, the class counted; 1 where both are empty.
        lesions: Lesions of the first mask.
        found: Those of them that the second has.
        further: Lesions of the second that match none of the first.
    """

    dice: float
    lesions: int
    found: int
    further: int


def dice_of(first: np.ndarray, second: np.ndarray) -> float:
    """Dice coefficient of two masks, uint8 `(H, W)`: classes must agree; 1 where both are empty.

    Pixels that either mask ignores do not count.
    """
    first, second = _judged_by_both(first, second)
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero((first == second) & (first > 0)) / both if both else 1.0


def compare_masks(first: np.ndarray, second: np.ndarray, classes: int) -> Likeness:
    """Compare a mask with another one of the same image.

    Args:
        first: Class indices, uint8 `(H, W)`; whose lesions are to be found.
        second: Class indices, same shape.
        classes: Number of classes, background counted. Pixels that either mask ignores do not count.
    """
    first, second = _judged_by_both(first, second)
    lesions, candidates = lesion_scores(first, second, classes, ScoringRules())
    return Likeness(
        dice_of(first, second),
        len(lesions.found),
        int(np.count_nonzero(lesions.found)),
        int(np.count_nonzero(~candidates.matched)),
    )


def majority(masks: list[np.ndarray]) -> np.ndarray:
    """The class that most masks give to each pixel; background where two classes are equal.

    Args:
        masks: Class indices, uint8 `(H, W)` each; at least one.

    Returns:
        uint8 `(H, W)`. Of two masks it is what both have alike.
    """
    labels = np.unique([label for mask in masks for label in np.unique(mask)])
    votes = np.stack([np.sum([mask == label for mask in masks], axis=0) for label in labels])
    winner = labels[votes.argmax(axis=0)]
    winner[(votes == votes.max(axis=0)).sum(axis=0) > 1] = 0
    return winner


def _judged_by_both(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two masks with the pixels that either ignores as background of both."""
    ignored = (first == IGNORED) | (second == IGNORED)
    if not ignored.any():
        return first, second
    return np.where(ignored, np.uint8(0), first), np.where(ignored, np.uint8(0), second)
