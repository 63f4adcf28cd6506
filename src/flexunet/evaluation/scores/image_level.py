"""Images as a whole: is there any lesion? Confidence of an image, area under its ROC curve, net benefit.

The confidence of an image is that of its surest candidate, 0 where it has none. Weights are those of
`froc`: one for each image, `(B, N)`, so that bootstrap replicates are matrix products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.froc import DetectionTable
from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import LesionScore, Values

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Probabilities at which a decision is weighed: 0.05 to 0.95."""


def image_confidence(table: DetectionTable) -> Values:
    """Confidence of the surest candidate of each image, float64 `(N,)`; 0 where there is none."""
    confidence = np.zeros(len(table.lesions))
    np.maximum.at(confidence, table.image, table.score)
    return confidence


def image_auroc(table: DetectionTable, weights: Values) -> Values:
    """Chance that an image with a lesion is surer than one without, equal ones counted half.

    Args:
        table: Candidates and lesions of all images.
        weights: How often each image counts, `(B, N)`.

    Returns:
        Float64 `(B,)`; NaN where all images that count have a lesion, or none has.

    Source: Hanley & McNeil (1982), Radiology 143(1), 29-36.
    """
    confidence = image_confidence(table)
    order = np.argsort(confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=-1.0))
    weights = np.asarray(weights, np.float64)[:, order]
    ill = (table.lesions > 0)[order]
    with_lesion, without = (np.add.reduceat(weights * chosen, starts, axis=1) for chosen in (ill, ~ill))
    below = np.cumsum(without, axis=1) - without / 2
    return ratio((with_lesion * below).sum(axis=1), with_lesion.sum(axis=1) * without.sum(axis=1))


def net_benefit(table: DetectionTable, weights: Values, thresholds: tuple[float, ...] = THRESHOLDS) -> Values:
    """Net benefit of following up every image whose confidence reaches a threshold.

    True alarms less false ones, a false one weighed by the odds of the threshold, over images: who acts at
    a probability of 0.1 takes nine false alarms for one lesion.

    Args:
        table: Candidates and lesions of all images.
        weights: How often each image counts, `(B, N)`.
        thresholds: Probabilities between 0 and 1, both excluded.

    Returns:
        Float64 `(B, len(thresholds))`.

    Source: Vickers & Elkin (2006), Medical Decision Making 26(6), 565-574.
    """
    flagged = image_confidence(table)[:, None] >= np.array(thresholds)
    return _benefit(table.lesions > 0, flagged, np.asarray(weights, np.float64), thresholds)


def net_benefit_of_all(table: DetectionTable, thresholds: tuple[float, ...] = THRESHOLDS) -> Values:
    """Net benefit of following up every image, `(len(thresholds),)`; that of none is 0."""
    flagged = np.ones((len(table.lesions), len(thresholds)), bool)
    weights = np.ones((1, len(table.lesions)))
    return _benefit(table.lesions > 0, flagged, weights, thresholds)[0]


def _benefit(
    ill: NDArray[np.bool_], flagged: NDArray[np.bool_], weights: Values, thresholds: tuple[float, ...]
) -> Values:
    true, false = (weights @ (flagged & chosen[:, None]) for chosen in (ill, ~ill))
    odds = np.array(thresholds) / (1 - np.array(thresholds))
    return ratio(true - false * odds, weights.sum(axis=1)[:, None])


IMAGE_LEVEL_SCORES = (
    LesionScore(
        name="image_auroc",
        label="AUROC of images with any lesion",
        better="higher",
        definition="Chance that an image with a lesion has a surer candidate than one without; equal ones "
        "count half.",
        undefined="no image with, or none without a lesion, or no probabilities",
        source="Hanley & McNeil (1982), Radiology 143(1), 29-36",
        per="images",
        places=("console",),
        by_confidence=image_auroc,
    ),
)
