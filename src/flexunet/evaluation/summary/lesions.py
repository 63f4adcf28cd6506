"""From lesion and candidate tables to sensitivity, FROC, average precision and size bands."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.froc import RATES, FrocCurve, average_precision, froc_curve, sensitivity_at
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import Counts, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.document import Figure, FrocPoint, FrocSensitivity, LesionFigures, SizeBand
from flexunet.evaluation.tables.rows import Tables

SPECK = 10
_MOST_POINTS = 400
_UNKNOWN = Figure(value=None, low=None, high=None, images=0)


def lesion_figures(
    tables: Tables, rules: ScoringRules, draw: Resampling, label: int | None = None
) -> LesionFigures:
    """Lesion scores with their intervals.

    Args:
        tables: The tables.
        rules: The rules.
        draw: The bootstrap.
        label: One class, or None for all foreground classes.

    Returns:
        The figures.
    """
    every = label is None
    lesion_in = np.ones(len(tables.lesion_image), bool) if every else tables.lesions.label == label
    inside = np.ones(len(tables.candidate_image), bool) if every else tables.candidates.label == label
    decided = tables.candidates.decided & inside
    lesions = tables.counted(tables.lesion_image, lesion_in)
    found = tables.counted(tables.lesion_image, lesion_in & tables.lesions.found)
    predicted = tables.counted(tables.candidate_image, decided)
    false = tables.counted(tables.candidate_image, decided & ~tables.candidates.matched)
    without = (lesions == 0).astype(np.float64)
    dice = np.bincount(tables.lesion_image[lesion_in], tables.lesions.dice[lesion_in], len(tables))
    points, at_rates, mean_sensitivity, precision = _curve(tables, draw, label, lesions, found, false)
    return LesionFigures(
        lesions=int(lesions.sum()),
        found=int(found.sum()),
        predicted=int(predicted.sum()),
        false_positives=int(false.sum()),
        images_without_lesion=int(without.sum()),
        specks=int(np.count_nonzero(tables.lesions.area[lesion_in] < SPECK)),
        sensitivity=_ratio(draw, found, lesions),
        false_positives_per_image=_figure(draw.ratio(false, np.ones(len(tables)))),
        false_positives_per_image_without_lesion=_figure(draw.ratio(false * without, without)),
        lesion_precision=_ratio(draw, predicted - false, predicted),
        dice_per_lesion_mean=_ratio(draw, dice, lesions),
        dice_per_found_lesion_mean=_ratio(draw, dice, found),
        size_bands=_size_bands(tables, rules, draw, lesion_in),
        scored_by="probability" if tables.by_probability else "hard masks",
        froc=points,
        froc_sensitivity=at_rates,
        froc_mean_sensitivity=mean_sensitivity,
        average_precision=precision,
    )


def _figure(estimate: Estimate) -> Figure:
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high, images=estimate.images)


def _ratio(draw: Resampling, numerators: NDArray, denominators: Counts) -> Figure:
    """A quotient over lesions; `images` says how many lesions (or regions) entered."""
    estimate = draw.ratio(numerators, denominators)
    return _figure(Estimate(estimate.value, estimate.low, estimate.high, int(denominators.sum())))


def _curve(
    tables: Tables, draw: Resampling, label: int | None, lesions: Counts, found: Counts, false: Counts
) -> tuple[list[FrocPoint], list[FrocSensitivity], Figure, Figure]:
    """FROC points, sensitivity at the usual rates, their mean, and average precision.

    Hard masks have one operating point: above its rate of false positives its sensitivity is reached, below
    it nothing is known.
    """
    total, images = int(lesions.sum()), len(tables)
    if not tables.by_probability:
        rate, sensitivity = false.sum() / images, found.sum() / total if total else float("nan")
        reached = _ratio(draw, found, lesions)
        return (
            [FrocPoint(threshold=1.0, false_positives_per_image=rate, sensitivity=sensitivity)]
            if total
            else [],
            [
                FrocSensitivity(
                    false_positives_per_image=at, sensitivity=reached if at >= rate and total else _UNKNOWN
                )
                for at in RATES
            ],
            _UNKNOWN,
            _UNKNOWN,
        )
    table = tables.detections(label)

    def statistic(weights: Values) -> Values:
        at_rates = sensitivity_at(table, weights)
        columns = (at_rates, at_rates.mean(axis=1)[:, None], average_precision(table, weights)[:, None])
        return np.concatenate(columns, axis=1)

    *at_rates, mean_sensitivity, precision = draw.statistic(statistic, total, width=len(table.score))
    curve = thinned(froc_curve(table)) if total else FrocCurve(*(np.empty(0) for _ in range(3)))
    return (
        [
            FrocPoint(threshold=threshold, false_positives_per_image=rate, sensitivity=sensitivity)
            for threshold, rate, sensitivity in zip(*(column.tolist() for column in curve), strict=True)
        ],
        [
            FrocSensitivity(false_positives_per_image=at, sensitivity=_figure(one))
            for at, one in zip(RATES, at_rates, strict=True)
        ],
        _figure(mean_sensitivity),
        _figure(precision),
    )


def thinned(curve: FrocCurve, most: int = _MOST_POINTS) -> FrocCurve:
    """The same staircase with fewer points: those where sensitivity rises, and the last."""
    rises = np.flatnonzero(np.diff(curve.sensitivity, prepend=0.0) > 0)
    corners = np.unique(np.concatenate([rises, rises[1:] - 1, [len(curve.threshold) - 1]]).astype(int))
    corners = corners[corners >= 0]
    if len(corners) > most:
        corners = corners[np.unique(np.linspace(0, len(corners) - 1, most).round().astype(int))]
    return FrocCurve(*(column[corners] for column in curve))


def _size_bands(
    tables: Tables, rules: ScoringRules, draw: Resampling, lesion_in: NDArray[np.bool_]
) -> list[SizeBand]:
    pixels, mm = tables.lesion_diameters()
    in_mm = len(mm) > 0 and not np.isnan(mm).any()
    diameter, inner = (mm, rules.size_bands_mm) if in_mm else (pixels, rules.size_bands_px)
    edges, unit = [0.0, *inner, np.inf], "mm" if in_mm else "px"
    bands = []
    for low, high in itertools.pairwise(edges):
        chosen = lesion_in & (diameter >= low) & (diameter < high)
        count = tables.counted(tables.lesion_image, chosen)
        found = tables.counted(tables.lesion_image, chosen & tables.lesions.found)
        dice = np.bincount(tables.lesion_image[chosen], tables.lesions.dice[chosen], len(tables))
        bands.append(
            SizeBand(
                label=_band_label(low, high, unit),
                unit="mm" if in_mm else "px",
                low=low,
                high=None if np.isinf(high) else high,
                lesions=int(count.sum()),
                found=int(found.sum()),
                sensitivity=_ratio(draw, found, count),
                dice_per_lesion_mean=_ratio(draw, dice, count),
            )
        )
    return bands


def _band_label(low: float, high: float, unit: str) -> str:
    if np.isinf(high):
        return f"{low:g} {unit} and more"
    return f"{low:g} to {high:g} {unit}" if low else f"below {high:g} {unit}"
