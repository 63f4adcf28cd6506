"""From tables of readers against readers to how far a model agrees with them, beside how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.registry import SetScore, shown_in
from flexunet.evaluation.scores.row import ImageScore, LesionScore, ScoreRow
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.pixels import foreground_counts_of, resampling_of
from flexunet.evaluation.summary.quotients import Quotient, paired, quotient_of
from flexunet.evaluation.summary.verdict import FEWEST_PATIENTS
from flexunet.evaluation.tables.readers import OneReader, ReaderAgreement, ReaderScore
from flexunet.evaluation.tables.rows import Tables

Pair = tuple[int, int]
"""The reader who is taken as truth, and the one who is scored, by their places."""


def reader_agreement(
    names: Sequence[str],
    model: Sequence[Tables],
    between: Mapping[Pair, Tables],
    rules: ScoringRules,
) -> ReaderAgreement:
    """Scores of a model against readers, and of readers against each other, on the same images.

    Every reader is the truth in turn, and each reading counts once: the mean of the model is over readers,
    that of the readers over ordered pairs. Scores of images are named `_paired`: where some see nothing in an
    image and others do, agreement about nothing counts 1. Intervals resample the same patients for both.

    Args:
        names: The readers.
        model: The model against each reader.
        between: Each reader (second) against each other as truth (first), by place in `names`.
        rules: The rules.

    Returns:
        The agreement.
    """
    draw = resampling_of(model[0], rules)
    scores = [
        _reader_score(score, _summed(of_model), _summed(of_readers.values()), draw)
        for score in shown_in("readers")
        for of_model, of_readers in [_quotients(score, model, between, rules)]
    ]
    main = shown_in("readers")[0]
    of_model, of_readers = _quotients(main, model, between, rules)
    by_reader = [
        OneReader(
            reader=name,
            model=_estimate(main.row, of_model[place], draw),
            other_readers=_estimate(
                main.row, _summed([found for (truth, _), found in of_readers.items() if truth == place]), draw
            ),
        )
        for place, name in enumerate(names)
    ]
    return ReaderAgreement(
        images=len(model[0]),
        patients=draw.num_groups,
        scores=scores,
        by_reader=by_reader,
        sentence=_in_words(scores[0], len(names), draw.num_groups),
    )


def _quotients(
    score: SetScore, model: Sequence[Tables], between: Mapping[Pair, Tables], rules: ScoringRules
) -> tuple[list[Quotient], dict[Pair, Quotient]]:
    """A score of the model against each reader and of each pair of readers, on images that count for any."""
    parts = [*model, *between.values()]
    row = score.row
    if isinstance(row, ImageScore) and row.empty_rule:
        counts = [foreground_counts_of(tables) for tables in parts]
        silent = [(truth == 0) & (predicted == 0) for _, truth, predicted in counts]
        found = paired([tables.by_image()[row.name] for tables in parts], silent)
    else:
        found = [quotient_of(score, tables, rules) for tables in parts]
    return found[: len(model)], dict(zip(between, found[len(model) :], strict=True))


def _summed(quotients: Iterable[Quotient]) -> Quotient:
    numerators, denominators = zip(*quotients, strict=True)
    return Quotient(np.sum(numerators, axis=0), np.sum(denominators, axis=0))


def _estimate(row: ScoreRow, quotient: Quotient, draw: Resampling) -> Estimate:
    share = isinstance(row, LesionScore) and row.proportion
    estimate = (draw.proportion if share else draw.ratio)(*quotient)
    return draw.honest(estimate, quotient.denominator, row.bounded)


def _reader_score(score: SetScore, model: Quotient, readers: Quotient, draw: Resampling) -> ReaderScore:
    one, two = _estimate(score.row, model, draw), _estimate(score.row, readers, draw)
    nothing = float("nan")
    difference = nothing if one.value is None or two.value is None else one.value - two.value
    replicates = draw.ratio_replicates(*model) - draw.ratio_replicates(*readers)
    return ReaderScore(
        name=f"{score.key}_paired"
        if isinstance(score.row, ImageScore) and score.row.empty_rule
        else score.key,
        model=one,
        readers=two,
        difference=Estimate.of(difference, replicates, draw.confidence, one.images),
        higher_is_better=score.row.better == "higher",
    )


def _in_words(score: ReaderScore, readers: int, patients: int) -> str:
    difference = score.difference
    if score.model.value is None or score.readers.value is None or difference.value is None:
        return f"How far {readers} readers agree is not known: {score.name} does not exist on these images."
    told = (
        f"{score.name} of the model against {counted(readers, 'reader')} is {score.model.value:.3f}, of the "
        f"readers against each other {score.readers.value:.3f}"
    )
    if difference.low is None or difference.high is None:
        return f"{told}; one patient shows no more."
    told += f", a difference of {difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
    if patients < FEWEST_PATIENTS:
        return f"{told}; {counted(patients, 'patient')} prove nothing."
    if difference.high < 0:
        return f"The model agrees with the readers less than they agree with each other: {told}."
    if difference.low > 0:
        return f"The model agrees with the readers more than they agree with each other: {told}."
    return f"That the model agrees less with the readers than they with each other is not shown: {told}."
