"""Free-response operating characteristic and average precision over pooled candidates.

All functions take a weight for each image (`weights`, `(B, N)`), so that B bootstrap replicates are one
cumulative sum along an axis; the score itself is the replicate whose weights are all 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import LesionScore, Values

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class DetectionTable(NamedTuple):
    """What FROC needs of a test set.

    Attributes:
        score: Confidence of each candidate.
        hit: Whether the candidate stands for a lesion.
        image: Index of the image of each candidate.
        lesions: Number of lesions of each image; images without lesions count for false positives.
    """

    score: NDArray[np.float64]
    hit: NDArray[np.bool_]
    image: NDArray[np.int64]
    lesions: NDArray[np.int64]

    def sorted_groups(self) -> tuple[DetectionTable, NDArray[np.int64], Values]:
        """Candidates by falling score, the last index of each group of equal scores, and those scores."""
        order = np.argsort(-self.score, kind="stable")
        table = DetectionTable(self.score[order], self.hit[order], self.image[order], self.lesions)
        ends = np.flatnonzero(np.diff(table.score, append=-np.inf))
        return table, ends, table.score[ends]


class FrocCurve(NamedTuple):
    """Sensitivity against false positives an image, one point for each distinct score, falling."""

    threshold: Values
    false_positives_per_image: Values
    sensitivity: Values


def _cumulated(table: DetectionTable, weights: Values) -> tuple[Values, Values, Values]:
    ordered, ends, thresholds = table.sorted_groups()
    by_candidate = weights[:, ordered.image]
    hits = np.cumsum(by_candidate * ordered.hit, axis=1)[:, ends]
    false = np.cumsum(by_candidate * ~ordered.hit, axis=1)[:, ends]
    return hits, false, thresholds


def froc_curve(table: DetectionTable) -> FrocCurve:
    """The FROC curve.

    Args:
        table: Candidates and lesions of all images.

    Returns:
        One point a distinct score. Sensitivity is NaN if there are no lesions.

    Source: Bunch et al. (1977), A free response approach, Proc. SPIE 0127, 124-135.
    """
    images = len(table.lesions)
    hits, false, thresholds = _cumulated(table, np.ones((1, images)))
    return FrocCurve(thresholds, false[0] / max(images, 1), ratio(hits[0], table.lesions.sum()))


def sensitivity_at(table: DetectionTable, weights: Values, rates: tuple[float, ...] = RATES) -> Values:
    """Greatest sensitivity reached with at most so many false positives an image.

    No interpolation: the value belongs to a threshold that exists. Where even the surest candidates exceed
    the rate, it is 0.

    Args:
        table: Candidates and lesions of all images.
        weights: How often each image counts, `(B, N)`.
        rates: False positives an image.

    Returns:
        Float64 array `(B, len(rates))`, NaN where there are no lesions.
    """
    weights = np.asarray(weights, np.float64)
    hits, false, _ = _cumulated(table, weights)
    images, lesions = weights.sum(axis=1), weights @ table.lesions
    # A rate reached exactly must count as reached, whatever rounding the product of rate and images brings.
    reached = [
        np.where(false <= (rate * images + 1e-9)[:, None], hits, 0.0).max(axis=1, initial=0.0)
        for rate in rates
    ]
    return ratio(np.stack(reached, axis=1), lesions[:, None])


def average_precision(table: DetectionTable, weights: Values) -> Values:
    """Area under the precision-recall curve of the candidates, without interpolation.

    Sum over distinct scores of precision times the gain in recall; lesions never found count in recall.

    Args:
        table: Candidates and lesions of all images.
        weights: How often each image counts, `(B, N)`.

    Returns:
        Float64 array `(B,)`, NaN where there are no lesions.

    Source: Salton & McGill (1983); the definition of scikit-learn's `average_precision_score`.
    """
    weights = np.asarray(weights, np.float64)
    hits, false, _ = _cumulated(table, weights)
    precision = np.nan_to_num(ratio(hits, hits + false))
    gain = np.diff(hits, axis=1, prepend=0.0)
    return ratio((precision * gain).sum(axis=1), weights @ table.lesions)


CONFIDENCE_SCORES = (
    LesionScore(
        name="froc_mean_sensitivity",
        label="FROC, mean sensitivity",
        better="higher",
        definition="Mean over the seven rates of the greatest sensitivity with at most so many false "
        "positives per image.",
        undefined="no lesions, or no probabilities",
        source="Bunch et al. (1977), Proc. SPIE 0127, 124-135",
        places=("console",),
        proportion=True,
        by_confidence=lambda table, weights: sensitivity_at(table, weights).mean(axis=1),
    ),
    LesionScore(
        name="average_precision",
        label="average precision",
        better="higher",
        definition="Sum over thresholds of precision times the gain in recall, without interpolation.",
        undefined="no lesions, or no probabilities",
        source="Salton & McGill (1983)",
        places=("console", "card"),
        by_confidence=average_precision,
    ),
)
