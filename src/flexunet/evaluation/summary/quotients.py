"""Scores of a set as one sum over images divided by another, for comparisons and plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.pixels import apply_empty_rule
from flexunet.evaluation.scores.registry import SetScore
from flexunet.evaluation.scores.row import ImageScore, LesionScore, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.pixels import foreground_counts_of
from flexunet.evaluation.tables.rows import Tables


class Quotient(NamedTuple):
    """A score as one sum over images divided by another, one value an image each."""

    numerator: NDArray
    denominator: NDArray


def has_quotient(score: SetScore) -> bool:
    """Whether a score is such a quotient; medians, and scores of confidences, are not."""
    counts = isinstance(score.row, LesionScore) and score.row.terms is not None
    return counts or score.kind in ("mean", "pooled")


def quotient_of(score: SetScore, tables: Tables, rules: ScoringRules) -> Quotient:
    """A mean over images, a ratio of pixels, or lesions over lesions.

    Args:
        score: A score that `has_quotient`.
        tables: The tables.
        rules: The rules, of which the empty-mask rule counts.
    """
    row = score.row
    if isinstance(row, LesionScore) and row.terms:
        return Quotient(*row.terms(tables.lesion_counts()))
    counts = foreground_counts_of(tables)
    if isinstance(row, ImageScore) and score.kind == "pooled" and row.terms:
        return Quotient(*row.terms(*counts))
    values = tables.by_image()[row.name]
    if isinstance(row, ImageScore) and row.empty_rule and (rules.surface_scores or row.surface is None):
        empty = (counts[1] == 0) & (counts[2] == 0)
        computed = not np.isnan(values[~empty]).any()  # else the file is older than the score
        values = apply_empty_rule(values, rules.empty_masks) if computed else values
    known = ~np.isnan(values)
    return Quotient(np.where(known, values, 0.0), known.astype(np.float64))


def paired(values: Sequence[Values], silent: Sequence[NDArray[np.bool_]]) -> list[Quotient]:
    """A score of several predictions on the same images, as means over the images that count for any.

    Where a prediction is silent about nothing it has no score, and counts 1 if another one has a score there;
    images of which all are silent are left out. Where a score is lacking elsewhere it was not computed, and
    nothing can be compared.

    Args:
        values: The score of each image by prediction, arrays `(N,)`, NaN where it does not exist.
        silent: Whether neither truth nor prediction has anything, likewise.
    """
    unknown = any((np.isnan(one) & ~empty).any() for one, empty in zip(values, silent, strict=True))
    counting = np.any([~np.isnan(one) for one in values], axis=0) & (not unknown)
    return [
        Quotient(np.where(counting & np.isnan(one), 1.0, np.nan_to_num(one)), counting.astype(np.float64))
        for one in values
    ]
