"""From probability bins to reliability curves, errors and Brier scores with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import apply_empty_rule, ratio
from flexunet.evaluation.scores.reliability import (
    ProbabilityCounts,
    brier_score,
    empty_brier_score,
    expected_calibration_error,
)
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.document import (
    FittedCalibration,
    ProbabilityScores,
    Reliability,
    ReliabilityBin,
)
from flexunet.evaluation.tables.rows import Tables
from flexunet.inference.predict.calibration import Calibration

ALL_PIXELS, PIXELS_IN_PLAY = 0, 1


def probability_scores(
    tables: Tables, rules: ScoringRules, draw: Resampling, calibration: Calibration | None
) -> ProbabilityScores | None:
    """Calibration of a test set; None for hard masks.

    Args:
        tables: The tables.
        rules: The rules.
        draw: The bootstrap.
        calibration: What was fitted on the validation split, if anything was.
    """
    if tables.probability is None:
        return None
    at_threshold = None
    if tables.dice_at_threshold is not None:
        estimate = draw.mean(apply_empty_rule(tables.dice_at_threshold, rules.empty_masks))
        at_threshold = estimate
    return ProbabilityScores(
        all_pixels=_reliability(tables.probability, ALL_PIXELS, draw),
        pixels_in_play=_reliability(tables.probability, PIXELS_IN_PLAY, draw),
        fitted=None
        if calibration is None
        else FittedCalibration(
            split=calibration.split,
            images=calibration.images,
            temperature=calibration.temperature,
            threshold=calibration.threshold,
            log_loss_before=calibration.log_loss_before,
            log_loss_after=calibration.log_loss_after,
            dice_pooled_at_half=calibration.dice_at_half,
            dice_pooled_at_threshold=calibration.dice_at_threshold,
            postprocess=None if calibration.postprocess is None else calibration.postprocess.in_words,
        ),
        after_fit=None if tables.scaled is None else _reliability(tables.scaled, PIXELS_IN_PLAY, draw),
        dice_per_image_mean_at_fitted_threshold=at_threshold,
    )


def _reliability(counts: ProbabilityCounts, row: int, draw: Resampling) -> Reliability:
    by_image = ProbabilityCounts(*(sums[:, row] for sums in counts))
    pooled = ProbabilityCounts(*(sums.sum(axis=0) for sums in by_image))

    def statistic(weights: Values) -> Values:
        drawn = ProbabilityCounts(*(weights @ sums for sums in by_image))
        return np.stack([expected_calibration_error(drawn), brier_score(drawn)], axis=1)

    images = int(np.count_nonzero(by_image.pixels.sum(axis=1)))
    error, brier = draw.statistic(statistic, images)
    bins = len(pooled.pixels)
    mean, share = ratio(pooled.probability, pooled.pixels), ratio(pooled.foreground, pooled.pixels)
    empty = float(empty_brier_score(pooled))
    return Reliability(
        pixels=int(pooled.pixels.sum()),
        expected_calibration_error=error,
        brier_score=brier,
        brier_score_empty_prediction=None if np.isnan(empty) else empty,
        bins=[
            ReliabilityBin(
                low=k / bins,
                high=(k + 1) / bins,
                pixels=int(pooled.pixels[k]),
                mean_probability=None if np.isnan(mean[k]) else float(mean[k]),
                foreground_share=None if np.isnan(share[k]) else float(share[k]),
            )
            for k in range(bins)
        ],
    )


def pooled_probability(parts: Sequence[ProbabilityScores]) -> ProbabilityScores:
    """Calibration of several folds together, from their bins; without intervals.

    Args:
        parts: Scores of each fold.
    """
    after = [part.after_fit for part in parts]
    return ProbabilityScores(
        all_pixels=_pooled([part.all_pixels for part in parts]),
        pixels_in_play=_pooled([part.pixels_in_play for part in parts]),
        fitted=None,
        after_fit=_pooled([one for one in after if one is not None]) if None not in after else None,
        dice_per_image_mean_at_fitted_threshold=None,
    )


def _pooled(parts: Sequence[Reliability]) -> Reliability:
    pixels = np.array([[one.pixels for one in part.bins] for part in parts], np.float64)
    mean = np.array([[one.mean_probability or 0.0 for one in part.bins] for part in parts])
    share = np.array([[one.foreground_share or 0.0 for one in part.bins] for part in parts])
    total = pixels.sum()
    probability, foreground = (pixels * mean).sum(axis=0), (pixels * share).sum(axis=0)
    count = pixels.sum(axis=0)
    sizes = pixels.sum(axis=1)
    brier = sum(size * (part.brier_score.value or 0.0) for size, part in zip(sizes, parts, strict=True))
    images = sum(part.brier_score.images for part in parts)

    def without_interval(value: float) -> Estimate:
        return Estimate(value=value / total if total else None, low=None, high=None, images=images)

    return Reliability(
        pixels=int(total),
        expected_calibration_error=without_interval(float(np.abs(probability - foreground).sum())),
        brier_score=without_interval(float(brier)),
        brier_score_empty_prediction=float(foreground.sum() / total) if total else None,
        bins=[
            ReliabilityBin(
                low=one.low,
                high=one.high,
                pixels=int(count[k]),
                mean_probability=float(probability[k] / count[k]) if count[k] else None,
                foreground_share=float(foreground[k] / count[k]) if count[k] else None,
            )
            for k, one in enumerate(parts[0].bins)
        ],
    )
