"""From the tables of every condition to curves, fall-offs and what an exchange of sides does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from flexunet.evaluation.robustness.corruptions import Corruption
from flexunet.evaluation.robustness.document import Curve, FallOff, Point, Robustness, Sides
from flexunet.evaluation.robustness.measure import Condition, Measured
from flexunet.evaluation.robustness.retest import retests
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import apply_empty_rule, ratio
from flexunet.evaluation.scores.registry import SET_LESION_SCORES, SET_SCORES, SetScore
from flexunet.evaluation.scores.row import LesionScore, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.lesions import lesion_estimate
from flexunet.evaluation.summary.pixels import foreground_counts_of, resampling_of, set_estimate
from flexunet.evaluation.tables.rows import Tables
from flexunet.version import __version__

# A smaller loss does not count: that of the verdict on a trivial prediction.
MARGIN = 0.02
_KEYS = ("dice_per_image_mean", "sensitivity", "false_positives_per_image")
MEASURED: tuple[SetScore, ...] = tuple(
    next(score for score in (*SET_SCORES, *SET_LESION_SCORES) if score.key == key) for key in _KEYS
)
Terms = tuple[Values, Values]


def summarise(
    measured: Measured,
    corruptions: Sequence[Corruption],
    rules: ScoringRules,
    *,
    runs: Sequence[str],
    split: str,
) -> Robustness:
    """The document of a measurement.

    Args:
        measured: The tables under every condition, those of the images as they are among them.
        corruptions: What the images were put through.
        rules: How they were scored.
        runs: Names of the runs.
        split: Which images.
    """
    clean = measured.tables[Condition()]
    draw = resampling_of(clean, rules)
    compare = _Comparison(clean, rules, draw)
    flipped = measured.tables[Condition(flipped=True)]
    return Robustness(
        flexunet=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        runs=list(runs),
        split=split,
        images=len(clean),
        patients=draw.num_groups,
        patients_known=measured.patients_known,
        rules=rules.document(),
        margin=MARGIN,
        scores=compare.scores(clean),
        curves=[_curve(row, measured.tables, compare) for row in corruptions],
        sides=Sides(
            normalised=measured.sides.normalised,
            reason=measured.sides.reason,
            images=measured.sides.images,
            restored=measured.sides.restored if measured.sides.normalised else None,
            answer=measured.sides.answer,
            scores=compare.scores(flipped),
            differences=compare.differences(flipped),
        ),
        retest=retests(clean, rules),
    )


class _Comparison:
    """Scores of the images under a condition, beside those of the images as they are."""

    def __init__(self, clean: Tables, rules: ScoringRules, draw: Resampling) -> None:
        self.rules, self.draw = rules, draw
        self.before = {score.key: self._terms(score, clean) for score in MEASURED}

    def scores(self, tables: Tables) -> dict[str, Estimate]:
        """Each score with its interval, as `evaluate` gives it."""
        return {score.key: self._score(score, tables) for score in MEASURED}

    def differences(self, tables: Tables) -> dict[str, Estimate]:
        """Each score less that of the images as they are; the same patients are drawn for both."""
        return {
            score.key: self._difference(self._terms(score, tables), self.before[score.key])
            for score in MEASURED
        }

    def _score(self, score: SetScore, tables: Tables) -> Estimate:
        if isinstance(score.row, LesionScore):
            return lesion_estimate(score.row, tables.lesion_counts(), self.draw)
        counts = foreground_counts_of(tables)
        return set_estimate(score, tables.by_image(), counts, self.rules, self.draw)

    def _terms(self, score: SetScore, tables: Tables) -> Terms:
        """What a score is the quotient of, by image."""
        if isinstance(score.row, LesionScore):
            if score.row.terms is None:
                raise TypeError(f"{score.key} needs the confidence of candidates.")
            numerators, denominators = score.row.terms(tables.lesion_counts())
            return np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
        values = apply_empty_rule(tables.by_image()[score.row.name], self.rules.empty_masks)
        return np.nan_to_num(values), (~np.isnan(values)).astype(np.float64)

    def _difference(self, after: Terms, before: Terms) -> Estimate:
        value = float(ratio(after[0].sum(), after[1].sum()) - ratio(before[0].sum(), before[1].sum()))
        counted = int(np.count_nonzero(after[1] + before[1]))
        if min(self.draw.groups_with(terms[1]) for terms in (after, before)) < 2:
            return Estimate(value=None if np.isnan(value) else value, images=counted)
        replicates = self.draw.ratio_replicates(*after) - self.draw.ratio_replicates(*before)
        return Estimate.of(value, replicates, self.draw.confidence, counted)


def _curve(row: Corruption, tables: Mapping[Condition, Tables], compare: _Comparison) -> Curve:
    points = []
    for strength in row.strengths:
        under = tables[Condition(row, strength)]
        points.append(
            Point(strength=strength, scores=compare.scores(under), differences=compare.differences(under))
        )
    bounded = [score.key for score in MEASURED if score.row.bounded]
    return Curve(
        name=row.name,
        label=row.label,
        unit=row.unit,
        moves=row.moves,
        meaning=row.meaning,
        points=points,
        falls_off={key: fall_off(points, key) for key in bounded},
    )


def fall_off(points: Sequence[Point], key: str, margin: float = MARGIN) -> FallOff:
    """The strength from which on a score is shown to be lower, at that strength and at all greater ones.

    A loss counts where it is at least the margin and the interval of the difference lies below zero.

    Args:
        points: From weak to strong.
        key: The score.
        margin: Smallest loss that counts.
    """
    differences = [point.differences[key] for point in points]
    last = differences[-1].low
    at_most = None if last is None else max(0.0, -last)
    if any(one.high is None for one in differences):
        return FallOff(answer="not known", strength=None, loss_at_most=at_most)
    lost = [
        one.value is not None and one.high is not None and one.value <= -margin and one.high < 0
        for one in differences
    ]
    if not any(lost):
        return FallOff(answer="none shown", strength=None, loss_at_most=at_most)
    if not lost[-1]:
        return FallOff(answer="uneven", strength=points[lost.index(True)].strength, loss_at_most=at_most)
    first = next(place for place in range(len(lost)) if all(lost[place:]))
    return FallOff(answer="loss", strength=points[first].strength, loss_at_most=at_most)
