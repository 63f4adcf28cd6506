"""Whether a probability means what it says: reliability curve, expected calibration error, Brier score.

The probability is that of foreground (1 less background), a pixel counts as 1 where the truth is foreground.
On a mammogram nearly every pixel is certain and correct background, which makes any error over all pixels
tiny. So each score is given twice: over all pixels, and over the pixels in play, where the model gives
foreground at least 1 %.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import Values

IN_PLAY = 0.01


class ProbabilityCounts(NamedTuple):
    """Sums over pixels in bins of equal width, arrays `(2, bins)`: row 0 all pixels, row 1 those in play.

    Attributes:
        pixels: Number of pixels.
        probability: Sum of probabilities.
        foreground: Number of foreground pixels.
        squared_error: Sum of squared differences.
    """

    pixels: Values
    probability: Values
    foreground: Values
    squared_error: Values


def count_probabilities(
    truth: NDArray[np.uint8],
    probability: NDArray[np.float32],
    bins: int,
    unscaled: NDArray[np.float32] | None = None,
) -> ProbabilityCounts:
    """Bin the foreground probability of one image.

    Args:
        truth: Class indices, uint8 `(H, W)`.
        probability: Foreground probability, float32 `(H, W)`.
        bins: Number of bins of equal width; the last includes 1.
        unscaled: Probability before scaling, which decides what is in play, so that scores before and after
            are over the same pixels.

    Returns:
        The sums.
    """
    foreground, values = truth.ravel() > 0, probability.ravel()
    index = np.minimum((values * bins).astype(np.intp), bins - 1)
    # Pixels in play get a second set of bins behind the first; their sum with the rest is "all pixels".
    index += bins * ((values if unscaled is None else unscaled.ravel()) >= IN_PLAY)
    pixels = np.bincount(index, minlength=2 * bins)
    inside = np.bincount(index[foreground], minlength=2 * bins)
    total = np.bincount(index, values, minlength=2 * bins)
    error = np.square(values - foreground, dtype=np.float64)
    squared = np.bincount(index, error, minlength=2 * bins)
    return ProbabilityCounts(*(_with_total(sums, bins) for sums in (pixels, total, inside, squared)))


def _with_total(sums: NDArray, bins: int) -> Values:
    rest, in_play = sums[:bins], sums[bins:]
    return np.stack([rest + in_play, in_play]).astype(np.float64)


def expected_calibration_error(counts: ProbabilityCounts) -> Values:
    """Mean distance between probability and frequency, bins weighted by their pixels.

    Args:
        counts: Sums, arrays `(..., bins)`.

    Returns:
        Float64 array `(...)`, NaN where there are no pixels.

    Source: Naeini, Cooper, Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    gap = np.abs(counts.probability - counts.foreground).sum(axis=-1)
    return ratio(gap, counts.pixels.sum(axis=-1))


def brier_score(counts: ProbabilityCounts) -> Values:
    """Mean squared difference between probability and truth.

    Args:
        counts: Sums, arrays `(..., bins)`.

    Source: Brier, G. W. (1950), Monthly Weather Review 78(1), 1-3.
    """
    return ratio(counts.squared_error.sum(axis=-1), counts.pixels.sum(axis=-1))


def empty_brier_score(counts: ProbabilityCounts) -> Values:
    """Brier score of a prediction that is certain of background everywhere: the share of foreground."""
    return ratio(counts.foreground.sum(axis=-1), counts.pixels.sum(axis=-1))
