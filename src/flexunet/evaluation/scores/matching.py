"""Which candidate stands for which lesion: three rules, and a one-to-one assignment in order of confidence.

A lesion is a connected component of one class in the truth, a candidate one of the prediction;
they match within their class only. Candidates come in order of falling score; each group of equal scores is
assigned to the lesions still free so that the most matches, and among those the greatest overlap, result. One
candidate takes one lesion at most and the other way round: a second candidate on a lesion already taken is a
false positive, and of two lesions under one candidate one is missed. Hard masks give all candidates one
score, so there the assignment is optimal at once and does not depend on any order.

Source: Everingham et al. (2010), The PASCAL VOC Challenge, IJCV 88 (duplicates are false positives).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from flexunet.data.images.regions import Regions
from flexunet.evaluation.scores.pixels import ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Overlaps(NamedTuple):
    """Pairs of a lesion and a candidate that share pixels, one entry a pair."""

    lesion: Ints
    candidate: Ints
    iou: Floats
    dice: Floats


def common_pairs(lesions: Regions, candidates: Regions) -> Overlaps:
    """All pairs that share a pixel.

    Args:
        lesions: Components of the truth.
        candidates: Components of the prediction.
    """
    both = (lesions.labels > 0) & (candidates.labels > 0)
    width = len(candidates) + 1
    codes = lesions.labels[both].astype(np.int64) * width + candidates.labels[both]
    pairs, shared = np.unique(codes, return_counts=True)
    lesion, candidate = pairs // width - 1, pairs % width - 1
    total = lesions.areas[lesion] + candidates.areas[candidate]
    return Overlaps(lesion, candidate, ratio(shared, total - shared), ratio(2 * shared, total))


def satisfying(
    pairs: Overlaps, lesions: Regions, candidates: Regions, rule: str, least_iou: float
) -> Overlaps:
    """The pairs that may match under a rule.

    Args:
        pairs: Pairs that share a pixel.
        lesions: Components of the truth.
        candidates: Components of the prediction.
        rule: `iou`, `overlap` or `centre`, see `ScoringRules`.
        least_iou: Threshold of `iou`; the others have none.
    """
    if rule == "overlap":
        return pairs
    if rule == "iou":
        chosen = pairs.iou >= least_iou
    else:
        chosen = _centre_hits(lesions, candidates, pairs.lesion, pairs.candidate)
    return Overlaps(pairs.lesion[chosen], pairs.candidate[chosen], pairs.iou[chosen], pairs.dice[chosen])


def _centre_hits(lesions: Regions, candidates: Regions, lesion: Ints, candidate: Ints) -> NDArray[np.bool_]:
    """Whether the candidate's centre lies in the lesion.

    A centre between pixels counts when any pixel it touches is in the lesion, which treats a mirrored image
    alike. A ring around a lesion has its centre there without sharing a pixel; it is no pair and no hit.
    """
    rows, columns = candidates.centres[candidate].T
    hits = np.zeros(len(lesion), bool)
    for row in (np.floor(rows + _TIE), np.ceil(rows - _TIE)):
        for column in (np.floor(columns + _TIE), np.ceil(columns - _TIE)):
            hits |= lesions.labels[row.astype(int), column.astype(int)] == lesion + 1
    return hits


_TIE = 1e-9


def assign(pairs: Overlaps, scores: Floats, num_lesions: int) -> tuple[Ints, Ints]:
    """One-to-one assignment, candidates in order of falling score.

    Args:
        pairs: Pairs that may match.
        scores: Confidence of each candidate.
        num_lesions: Number of lesions.

    Returns:
        For each lesion its candidate, and for each lesion the index of that pair in `pairs`; -1 where the
        lesion was not found.
    """
    found = np.full(num_lesions, -1, np.int64)
    pair_of = np.full(num_lesions, -1, np.int64)
    if not len(pairs.lesion):
        return found, pair_of
    pair_scores = scores[pairs.candidate]
    for score in np.unique(pair_scores)[::-1]:
        group = np.flatnonzero((pair_scores == score) & (found[pairs.lesion] < 0))
        chosen = _most_matches(pairs.lesion[group], pairs.candidate[group], pairs.iou[group])
        found[pairs.lesion[group[chosen]]] = pairs.candidate[group[chosen]]
        pair_of[pairs.lesion[group[chosen]]] = group[chosen]
    return found, pair_of


def _most_matches(lesion: Ints, candidate: Ints, value: Floats) -> Ints:
    """Pairs of a one-to-one assignment with the most pairs, then the greatest total value (below 1 each)."""
    lesions, lesion = np.unique(lesion, return_inverse=True)
    candidates, candidate = np.unique(candidate, return_inverse=True)
    if len(lesions) == len(lesion) and len(candidates) == len(candidate):
        return np.arange(len(lesion))
    size = len(lesions) + len(candidates)
    graph = coo_array((np.ones(len(lesion)), (lesion, len(lesions) + candidate)), shape=(size, size))
    count, island = connected_components(graph, directed=False)
    chosen: list[Ints] = []
    islands = island[lesion]
    order = np.argsort(islands, kind="stable")
    for pairs in np.split(order, np.searchsorted(islands[order], np.arange(1, count))):
        rows, row = np.unique(lesion[pairs], return_inverse=True)
        columns, column = np.unique(candidate[pairs], return_inverse=True)
        gain = np.zeros((len(rows), len(columns)))
        where = np.full(gain.shape, -1, np.int64)
        gain[row, column] = 1 + value[pairs] / (1 + min(gain.shape))
        where[row, column] = pairs
        picked = where[linear_sum_assignment(gain, maximize=True)]
        chosen.append(picked[picked >= 0])
    return np.concatenate(chosen) if chosen else np.empty(0, np.int64)
