"""Lesions of one image: what was found, what was imagined, and how sure the model was of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.regions import Regions, find_regions, regions_of_numbers
from flexunet.evaluation.scores.cells import component_dice
from flexunet.evaluation.scores.matching import Floats, Ints, Overlaps, assign, common_pairs, satisfying
from flexunet.evaluation.scores.rules import ScoringRules

Bools = NDArray[np.bool_]


class Lesions(NamedTuple):
    """True lesions, one entry each.

    Attributes:
        label: Class index.
        area: Pixels.
        row: Row of the centre of mass.
        column: Column of the centre of mass.
        found: Whether a predicted component matched it (the hard mask, as written to disk).
        dice: Dice with that component, 0 where missed.
        iou: IoU with that component, 0 where missed.
        component_dice: Dice within its cell (`cells`). Here and below NaN: not in an older file.
        best_iou: Greatest IoU with any predicted component, whatever the rule of matching.
        centre_hit: 1 where matched by the rule `centre`, whatever the rule of matching, else 0.
    """

    label: Ints
    area: Ints
    row: Floats
    column: Floats
    found: Bools
    dice: Floats
    iou: Floats
    component_dice: Floats
    best_iou: Floats
    centre_hit: Floats


class Candidates(NamedTuple):
    """Predicted regions, one entry each.

    Attributes:
        label: Class index.
        area: Pixels.
        row: Row of the centre of mass.
        column: Column of the centre of mass.
        score: Confidence, 1 where only hard masks are known.
        decided: Whether it is in the predicted mask; the others are doubtful candidates for FROC.
        matched: Whether it stands for a lesion when the predicted mask alone is assigned.
        hit: Whether it stands for a lesion when all candidates are assigned in order of score.
    """

    label: Ints
    area: Ints
    row: Floats
    column: Floats
    score: Floats
    decided: Bools
    matched: Bools
    hit: Bools


Columns = TypeVar("Columns", Lesions, Candidates)


def joined(parts: Sequence[Columns]) -> Columns:
    """One table from many of the same kind; `parts` must not be empty."""
    kind: Any = type(parts[0])
    return kind(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rows_of(columns: Columns, chosen: Bools) -> Columns:
    """Some rows of a table."""
    kind: Any = type(columns)
    return kind(*(column[chosen] for column in columns))


def lesion_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    num_classes: int,
    rules: ScoringRules,
    probabilities: NDArray[np.float32] | None = None,
    numbers: NDArray[np.uint8] | None = None,
) -> tuple[Lesions, Candidates]:
    """Match the lesions of one image with the predicted regions.

    Args:
        truth: Class indices, uint8 `(H, W)`.
        prediction: Class indices, same shape.
        num_classes: Number of classes, background included.
        rules: How to match and to score.
        probabilities: Float32 `(H, W, num_classes)`, or None for hard masks.
        numbers: The lesion of each pixel of the truth, uint8 `(H, W)`; None where components are lesions.

    Returns:
        Lesions and candidates of all foreground classes, by class.
    """
    lesions, candidates = [], []
    for label in range(1, num_classes):
        plane = None if probabilities is None else probabilities[..., label]
        found = _class_scores(_is(truth, label), _is(prediction, label), label, rules, plane, numbers)
        lesions.append(found[0])
        candidates.append(found[1])
    return joined(lesions), joined(candidates)


def _is(mask: NDArray[np.uint8], label: int) -> NDArray[np.uint8]:
    return (mask == label).view(np.uint8)


def _class_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    label: int,
    rules: ScoringRules,
    probability: NDArray[np.float32] | None,
    numbers: NDArray[np.uint8] | None = None,
) -> tuple[Lesions, Candidates]:
    top, left, box = _busy_box(truth, prediction, probability, rules.candidate_threshold)
    truth, prediction = truth[box], prediction[box]
    probability = None if probability is None else probability[box]
    lesions = (
        find_regions(truth, rules.connectivity, rules.min_lesion_pixels)
        if numbers is None
        else regions_of_numbers(numbers[box], truth, rules.min_lesion_pixels)
    )
    decided = find_regions(prediction, rules.connectivity, rules.min_lesion_pixels)
    common = common_pairs(lesions, decided)
    pairs = satisfying(common, lesions, decided, rules.lesion_match, rules.lesion_iou)
    match, pair = assign(pairs, np.ones(len(decided)), len(lesions))
    found = match >= 0
    dice, iou = np.zeros(len(lesions)), np.zeros(len(lesions))
    dice[found], iou[found] = pairs.dice[pair[found]], pairs.iou[pair[found]]
    matched = np.zeros(len(decided), bool)
    matched[match[found]] = True

    candidates, scores, hit = decided, np.ones(len(decided)), matched
    if probability is not None:
        candidates = add_doubtful(decided, probability, rules)
        scores = region_scores(candidates, probability, rules.candidate_score)
        pairs = satisfying(
            common_pairs(lesions, candidates), lesions, candidates, rules.lesion_match, rules.lesion_iou
        )
        match, _ = assign(pairs, scores, len(lesions))
        hit = np.zeros(len(candidates), bool)
        hit[match[match >= 0]] = True
    lesion_rows, lesion_columns = lesions.centres.T
    candidate_rows, candidate_columns = candidates.centres.T
    extra = len(candidates) - len(decided)
    return (
        Lesions(
            np.full(len(lesions), label),
            lesions.areas,
            lesion_rows + top,
            lesion_columns + left,
            found,
            dice,
            iou,
            component_dice(lesions, decided.labels > 0),
            _best_iou(common, len(lesions)),
            _centre_hits(common, lesions, decided),
        ),
        Candidates(
            np.full(len(candidates), label),
            candidates.areas,
            candidate_rows + top,
            candidate_columns + left,
            scores,
            np.arange(len(candidates)) < len(decided),
            np.pad(matched, (0, extra)),
            hit,
        ),
    )


def _best_iou(common: Overlaps, count: int) -> Floats:
    best = np.zeros(count)
    np.maximum.at(best, common.lesion, common.iou)
    return best


def _centre_hits(common: Overlaps, lesions: Regions, decided: Regions) -> Floats:
    pairs = satisfying(common, lesions, decided, "centre", 0.0)
    match, _ = assign(pairs, np.ones(len(decided)), len(lesions))
    return (match >= 0).astype(np.float64)


def _busy_box(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    probability: NDArray[np.float32] | None,
    threshold: float,
) -> tuple[int, int, tuple[slice, slice]]:
    """Top, left and window of the part of an image that holds all its regions: lesions are small."""
    either = truth | prediction
    if probability is not None:
        either |= (probability >= threshold).view(np.uint8)
    left, top, width, height = cv2.boundingRect(either)
    return top, left, (slice(top, top + max(height, 1)), slice(left, left + max(width, 1)))


def add_doubtful(decided: Regions, probability: NDArray[np.float32], rules: ScoringRules) -> Regions:
    """Decided regions, followed by the regions above `candidate_threshold` that hold no decided pixel."""
    above = (probability >= rules.candidate_threshold).view(np.uint8)
    low = find_regions(above, rules.connectivity, rules.min_lesion_pixels)
    kept = np.flatnonzero(~low.touching(decided.labels > 0)) + 1
    if not len(kept):
        return decided
    renumbered = np.zeros(len(low) + 1, np.int32)
    renumbered[kept] = len(decided) + 1 + np.arange(len(kept))
    return Regions(
        np.where(decided.labels > 0, decided.labels, renumbered[low.labels]),
        np.concatenate([decided.areas, low.areas[kept - 1]]),
        np.concatenate([decided.centres, low.centres[kept - 1]]),
        np.concatenate([decided.boxes, low.boxes[kept - 1]]),
    )


def region_scores(regions: Regions, probability: NDArray[np.float32], kind: str) -> Floats:
    """Mean or greatest probability of each region, rounded to 1e-6 so that summation order cannot matter."""
    inside = regions.labels > 0
    labels, values = regions.labels[inside] - 1, probability[inside].astype(np.float64)
    if kind == "mean":
        scores = np.bincount(labels, values, minlength=len(regions)) / regions.areas
    else:
        scores = np.zeros(len(regions))
        np.maximum.at(scores, labels, values)
    return scores.round(6)
