"""What the commands print of an evaluation: the published metrics first, the scores beside them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import SET_LESION_SCORES, SET_SCORES, shown_in
from flexunet.evaluation.scores.row import LesionScore
from flexunet.evaluation.summary.regions import SENTENCE
from flexunet.evaluation.summary.verdict import lesions_in_words
from flexunet.evaluation.tables.document import Comparison, Scores, estimate_of
from flexunet.evaluation.tables.readers import ReaderAgreement


def scores_tables(scores: Scores, subgroups: bool = False, regions: bool = False) -> RenderableType:
    """Published metrics beside the empty prediction, then the scores with intervals, then the verdict.

    Args:
        scores: The scores.
        subgroups: Whether the tables by subgroup are shown; the report has them in any case.
        regions: Whether the classes are regions of the film and no lesions, see `are_regions`.
    """
    lesions = SENTENCE if regions else lesions_in_words(scores.lesions)
    parts: list[RenderableType] = [_published(scores), _main(scores), Text(lesions)]
    if len(scores.classes) > 1:
        parts.append(_classes(scores))
    if subgroups:
        parts.extend(_subgroups(scores))
    if scores.readers is not None:
        parts += [_readers(scores.readers), Text(scores.readers.sentence)]
    for one in scores.verdict:
        style = "green" if one.good else "bold red" if one.good is False else "yellow"
        parts.append(Text.assemble((f"{one.question} {one.words}. ", style), one.sentence))
    return Group(*parts)


def _published(scores: Scores) -> Table:
    table = Table(title=f"Published metrics ({scores.published.computed_on})", title_justify="left")
    table.add_column("metric")
    table.add_column("prediction", justify="right")
    table.add_column("empty prediction", justify="right")
    for one in scores.published.figures:
        table.add_row(one.name, _number(one.value, 4), _number(one.empty_prediction, 4))
    return table


def _main(scores: Scores) -> Table:
    level = f"{100 * scores.rules['confidence']:g} % interval"
    title = f"Scores of {counted(scores.images, 'image')}, foreground classes"
    table = Table(title=title, title_justify="left")
    for name in ("score", "value", level, "images"):
        table.add_column(name, justify="left" if name == "score" else "right")
    for group in (SET_SCORES, SET_LESION_SCORES):
        table.add_section()
        for score in shown_in("console", group):
            estimate, digits = estimate_of(scores, score), score.row.digits
            if estimate.value is not None:
                per = score.row.per if isinstance(score.row, LesionScore) else "images"
                name = score.key if per == "images" else f"{score.key} ({per})"
                interval = _interval(estimate, digits)
                table.add_row(name, _number(estimate.value, digits), interval, str(estimate.images))
    return table


def _classes(scores: Scores) -> Table:
    table = Table(title="By class", title_justify="left")
    columns = shown_in("classes")
    for name in ("class", *(score.short for score in columns)):
        table.add_column(name, justify="left" if name == "class" else "right")
    for one in scores.classes:
        values = [_number(estimate_of(one, score).value, score.row.digits) for score in columns]
        table.add_row(f"{one.index} {one.name}", *values)
    return table


def _readers(readers: ReaderAgreement) -> Table:
    table = Table(
        title=f"{counted(len(readers.by_reader), 'reader')} of the same images", title_justify="left"
    )
    for name in ("score", "model", "readers", "difference", "interval"):
        table.add_column(name, justify="left" if name == "score" else "right")
    for one in readers.scores:
        if one.difference.value is not None:
            name = one.name if one.higher_is_better else f"{one.name} (less is better)"
            values = _number(one.model.value, 3), _number(one.readers.value, 3)
            interval = _interval(one.difference, 3, sign="+")
            table.add_row(name, *values, f"{one.difference.value:+.3f}", interval)
    return table


def _subgroups(scores: Scores) -> list[Table]:
    tables = []
    for column in scores.subgroups:
        table = Table(title=f"By {column.column}", title_justify="left")
        first, *others = shown_in("headline")
        for name in (column.column, "images", first.key, "interval", *(score.short for score in others)):
            table.add_column(name, justify="left" if name == column.column else "right", no_wrap=True)
        for group in column.groups:
            table.add_row(
                group.value,
                str(group.images),
                _number(group[first.key].value, first.row.digits),
                _interval(group[first.key], first.row.digits),
                *(_number(group[score.key].value, score.row.digits) for score in others),
            )
        tables.append(table)
    return tables


def comparison_table(comparison: Comparison, patients_known: bool) -> RenderableType:
    """Two runs side by side with the interval of the difference and its p value."""
    images = counted(comparison.images, "shared image")
    who = counted(comparison.patients, "patient" if patients_known else "source")
    table = Table(title=f"{images} of {who}", title_justify="left")
    for name in ("score", comparison.first, comparison.second, "difference", "interval", "p"):
        table.add_column(name, justify="left" if name == "score" else "right")
    for one in comparison.scores:
        if one.difference.value is None:
            continue
        name = one.name if one.higher_is_better else f"{one.name} (less is better)"
        table.add_row(
            name,
            _number(one.first, 3),
            _number(one.second, 3),
            f"{one.difference.value:+.3f}",
            _interval(one.difference, 3, sign="+"),
            "n/a" if one.p_value is None else f"{one.p_value:.3g}",
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _interval(one: Estimate, digits: int, sign: str = "") -> str:
    if one.low is None or one.high is None:
        return ""
    return f"{one.low:{sign}.{digits}f} to {one.high:{sign}.{digits}f}"
