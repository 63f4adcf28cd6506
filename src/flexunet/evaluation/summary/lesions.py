"""From lesion and candidate tables to sensitivity, FROC, average precision and size bands."""

from __future__ import annotations

import itertools

import numpy as np

from flexunet.evaluation.scores.froc import RATES, DetectionTable, FrocCurve, froc_curve, sensitivity_at
from flexunet.evaluation.scores.image_level import THRESHOLDS, net_benefit, net_benefit_of_all
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.lesion_counts import COUNTED_SCORES, LesionCounts
from flexunet.evaluation.scores.registry import SCORES_BY_CONFIDENCE
from flexunet.evaluation.scores.row import LesionScore, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.document import FrocPoint, FrocSensitivity, LesionScores, NetBenefit, SizeBand
from flexunet.evaluation.tables.rows import Tables

SPECK = 10
_MOST_POINTS = 400
SENSITIVITY, DICE_PER_LESION = (
    next(row for row in COUNTED_SCORES if row.name == name)
    for name in ("sensitivity", "dice_per_lesion_mean")
)


def set_lesion_scores(
    tables: Tables, rules: ScoringRules, draw: Resampling, label: int | None = None
) -> LesionScores:
    """Lesion scores with their intervals.

    Args:
        tables: The tables.
        rules: The rules.
        draw: The bootstrap.
        label: One class, or None for all foreground classes.

    Returns:
        The scores.
    """
    counts = tables.lesion_counts(label)
    lesion_in = np.ones(len(tables.lesion_image), bool) if label is None else tables.lesions.label == label
    candidates = tables.candidates
    false = candidates.decided & ~candidates.matched
    false = false if label is None else false & (candidates.label == label)
    points, at_rates, by_confidence = _curve(tables, draw, label, counts)
    return LesionScores(
        lesions=int(counts.lesions.sum()),
        found=int(counts.found.sum()),
        predicted=int(counts.predicted.sum()),
        false_positives=int(counts.false.sum()),
        images_without_lesion=int(counts.without_lesion.sum()),
        specks=int(np.count_nonzero(tables.lesions.area[lesion_in] < SPECK))
        + int(np.count_nonzero(tables.candidates.area[false] < SPECK)),
        **{row.name: lesion_estimate(row, counts, draw) for row in COUNTED_SCORES},
        size_bands=_size_bands(tables, rules, draw, label),
        scored_by="probability" if tables.by_probability else "hard masks",
        froc=points,
        froc_sensitivity=at_rates,
        decision_curve=_decision_curve(tables.detections(label), draw),
        **by_confidence,
    )


def lesion_estimate(row: LesionScore, counts: LesionCounts, draw: Resampling) -> Estimate:
    """A score that counts lesions or regions; its `images` says how many of them entered."""
    if row.terms is None:
        raise TypeError(f"{row.name} needs the confidence of candidates.")
    numerator, denominator = row.terms(counts)
    if np.isnan(numerator).any():
        return Estimate()  # read from a file older than the score
    estimate = (draw.proportion if row.proportion else draw.ratio)(numerator, denominator)
    estimate = draw.honest(estimate, denominator, row.bounded)
    return estimate.model_copy(update={"images": int(denominator.sum())})


def _curve(
    tables: Tables, draw: Resampling, label: int | None, counts: LesionCounts
) -> tuple[list[FrocPoint], list[FrocSensitivity], dict[str, Estimate]]:
    """FROC points, sensitivity at the usual rates, and the scores of `SCORES_BY_CONFIDENCE`.

    Hard masks have one operating point: above its rate of false positives its sensitivity is reached, below
    it nothing is known.
    """
    total, images = int(counts.lesions.sum()), len(tables)
    if not tables.by_probability:
        rate = counts.false.sum() / images
        sensitivity = counts.found.sum() / total if total else float("nan")
        reached = lesion_estimate(SENSITIVITY, counts, draw)
        return (
            [FrocPoint(threshold=1.0, false_positives_per_image=rate, sensitivity=sensitivity)]
            if total
            else [],
            [
                FrocSensitivity(
                    false_positives_per_image=at, sensitivity=reached if at >= rate and total else Estimate()
                )
                for at in RATES
            ],
            {row.name: Estimate() for row in SCORES_BY_CONFIDENCE},
        )
    table = tables.detections(label)
    computed = [row.by_confidence for row in SCORES_BY_CONFIDENCE if row.by_confidence]

    def statistic(weights: Values) -> Values:
        columns = [score(table, weights)[:, None] for score in computed]
        return np.concatenate([sensitivity_at(table, weights), *columns], axis=1)

    estimates = draw.statistic(statistic, total, width=len(table.score))
    shares = [True] * len(RATES) + [row.proportion for row in SCORES_BY_CONFIDENCE]
    if draw.groups_with(counts.lesions) < 2:
        estimates = [Estimate(value=one.value, images=one.images) for one in estimates]
    estimates = [
        draw.widened(one, counts.lesions) if share else draw.honest(one, counts.lesions, bounded=True)
        for one, share in zip(estimates, shares, strict=True)
    ]
    for place, row in enumerate(SCORES_BY_CONFIDENCE, start=len(RATES)):
        if row.per == "images":
            estimates[place] = _of_all_images(estimates[place], counts, draw)
    curve = thinned(froc_curve(table)) if total else FrocCurve(*(np.empty(0) for _ in range(3)))
    return (
        [
            FrocPoint(threshold=threshold, false_positives_per_image=rate, sensitivity=sensitivity)
            for threshold, rate, sensitivity in zip(*(column.tolist() for column in curve), strict=True)
        ],
        [
            FrocSensitivity(false_positives_per_image=at, sensitivity=estimate)
            for at, estimate in zip(RATES, estimates, strict=False)
        ],
        dict(zip((row.name for row in SCORES_BY_CONFIDENCE), estimates[len(RATES) :], strict=True)),
    )


def _of_all_images(estimate: Estimate, counts: LesionCounts, draw: Resampling) -> Estimate:
    """A score that rests on images with and without lesions; no interval where one kind has one patient."""
    if estimate.value is None:
        return Estimate()
    estimate = estimate.model_copy(update={"images": len(counts.lesions)})
    if draw.groups_with(counts.without_lesion) < 2:
        return Estimate(value=estimate.value, images=estimate.images)
    return estimate


def _decision_curve(table: DetectionTable, draw: Resampling) -> list[NetBenefit]:
    """Net benefit at each threshold; nothing where all images have a lesion, or none has."""
    if not 0 < np.count_nonzero(table.lesions) < len(table.lesions):
        return []
    estimates = draw.statistic(lambda weights: net_benefit(table, weights))
    of_all = net_benefit_of_all(table).tolist()
    return [
        NetBenefit(threshold=threshold, net_benefit=estimate, net_benefit_of_all=everyone)
        for threshold, estimate, everyone in zip(THRESHOLDS, estimates, of_all, strict=True)
    ]


def thinned(curve: FrocCurve, most: int = _MOST_POINTS) -> FrocCurve:
    """The same staircase with fewer points: those where sensitivity rises, and the last."""
    rises = np.flatnonzero(np.diff(curve.sensitivity, prepend=0.0) > 0)
    corners = np.unique(np.concatenate([rises, rises[1:] - 1, [len(curve.threshold) - 1]]).astype(int))
    corners = corners[corners >= 0]
    if len(corners) > most:
        corners = corners[np.unique(np.linspace(0, len(corners) - 1, most).round().astype(int))]
    return FrocCurve(*(column[corners] for column in curve))


def _size_bands(tables: Tables, rules: ScoringRules, draw: Resampling, label: int | None) -> list[SizeBand]:
    pixels, mm = tables.lesion_diameters()
    in_mm = len(mm) > 0 and not np.isnan(mm).any()
    diameter, inner = (mm, rules.size_bands_mm) if in_mm else (pixels, rules.size_bands_px)
    edges, unit = [0.0, *inner, np.inf], "mm" if in_mm else "px"
    bands = []
    for low, high in itertools.pairwise(edges):
        counts = tables.lesion_counts(label, (diameter >= low) & (diameter < high))
        bands.append(
            SizeBand(
                label=_band_label(low, high, unit),
                unit="mm" if in_mm else "px",
                low=low,
                high=None if np.isinf(high) else high,
                lesions=int(counts.lesions.sum()),
                found=int(counts.found.sum()),
                sensitivity=lesion_estimate(SENSITIVITY, counts, draw),
                dice_per_lesion_mean=lesion_estimate(DICE_PER_LESION, counts, draw),
            )
        )
    return bands


def _band_label(low: float, high: float, unit: str) -> str:
    if np.isinf(high):
        return f"{low:g} {unit} and more"
    return f"{low:g} to {high:g} {unit}" if low else f"below {high:g} {unit}"
