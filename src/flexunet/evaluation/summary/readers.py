"""From tables of readers against readers to how far a model agrees with them, beside how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.registry import SetScore, shown_in
from flexunet.evaluation.scores.row import LesionScore, ScoreRow
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.pixels import resampling_of
from flexunet.evaluation.summary.quotients import Quotient, quotient_of
from flexunet.evaluation.summary.verdict import FEWEST_PATIENTS
from flexunet.evaluation.tables.readers import OneReader, ReaderAgreement, ReaderScore
from flexunet.evaluation.tables.rows import Tables


def reader_agreement(
    names: Sequence[str],
    model: Sequence[Tables],
    between: Mapping[tuple[int, int], Tables],
    rules: ScoringRules,
) -> ReaderAgreement:
    """Scores of a model against readers, and of readers against each other, on the same images.

    Every reader is the truth in turn, and each reading counts once: the mean of the model is over readers,
    that of the readers over ordered pairs. Intervals resample the same patients for both.

    Args:
        names: The readers.
        model: The model against each reader.
        between: Each reader (second) against each other as truth (first), by place in `names`.
        rules: The rules.

    Returns:
        The agreement.
    """
    draw = resampling_of(model[0], rules)
    scores = []
    for score in shown_in("readers"):
        of_model = _summed([quotient_of(score, tables, rules) for tables in model])
        of_readers = _summed([quotient_of(score, tables, rules) for tables in between.values()])
        scores.append(_reader_score(score, of_model, of_readers, draw))
    main = shown_in("readers")[0]
    by_reader = []
    for place, name in enumerate(names):
        others = [tables for (truth, _), tables in between.items() if truth == place]
        by_reader.append(
            OneReader(
                reader=name,
                model=_estimate(main.row, quotient_of(main, model[place], rules), draw),
                other_readers=_estimate(
                    main.row, _summed([quotient_of(main, tables, rules) for tables in others]), draw
                ),
            )
        )
    return ReaderAgreement(
        images=len(model[0]),
        patients=draw.num_groups,
        scores=scores,
        by_reader=by_reader,
        sentence=_in_words(scores[0], len(names), draw.num_groups),
    )


def _summed(quotients: Sequence[Quotient]) -> Quotient:
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
        name=score.key,
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
