"""What the commands print of an evaluation: the published figures first, the true ones beside them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flexunet.evaluation.summary.verdict import lesions_in_words
from flexunet.evaluation.tables.document import Comparison, Figure, Scores

_SIGNS = {"yes": "yes", "no": "no", "unsure": "not sure", "unknown": "not known"}


def scores_tables(scores: Scores, subgroups: bool = False) -> RenderableType:
    """Published figures beside the empty prediction, then the scores with intervals, then the verdict.

    Args:
        scores: The figures.
        subgroups: Whether the tables by subgroup are shown; the report has them in any case.
    """
    parts: list[RenderableType] = [_published(scores), _main(scores), Text(lesions_in_words(scores.lesions))]
    if len(scores.classes) > 1:
        parts.append(_classes(scores))
    if subgroups:
        parts.extend(_subgroups(scores))
    for one in scores.verdict:
        style = "green" if one.good else "bold red" if one.good is False else "yellow"
        parts.append(Text.assemble((f"{one.question} {_SIGNS[one.answer]}. ", style), one.sentence))
    return Group(*parts)


def _published(scores: Scores) -> Table:
    table = Table(title=f"Published figures ({scores.published.computed_on})", title_justify="left")
    table.add_column("figure")
    table.add_column("prediction", justify="right")
    table.add_column("empty prediction", justify="right")
    for one in scores.published.figures:
        table.add_row(one.name, _number(one.value, 4), _number(one.empty_prediction, 4))
    return table


def _main(scores: Scores) -> Table:
    level = f"{100 * scores.rules['confidence']:g} % interval"
    table = Table(title=f"Scores of {scores.images} images, foreground classes", title_justify="left")
    for name in ("score", "value", level, "images"):
        table.add_column(name, justify="left" if name == "score" else "right")
    foreground, lesions = scores.foreground, scores.lesions
    rows: list[tuple[str, Figure, int]] = [
        ("dice_per_image_mean", foreground.dice_per_image_mean, 3),
        ("dice_per_image_median", foreground.dice_per_image_median, 3),
        ("dice_pooled", foreground.dice_pooled, 3),
        ("iou_per_image_mean", foreground.iou_per_image_mean, 3),
        ("precision_pooled", foreground.precision_pooled, 3),
        ("recall_pooled", foreground.recall_pooled, 3),
        ("boundary_dice_per_image_mean", foreground.boundary_dice_per_image_mean, 3),
        ("hausdorff_95_px_mean", foreground.hausdorff_95_px_mean, 1),
        ("hausdorff_95_mm_mean", foreground.hausdorff_95_mm_mean, 2),
        ("average_surface_distance_px_mean", foreground.average_surface_distance_px_mean, 2),
        ("average_surface_distance_mm_mean", foreground.average_surface_distance_mm_mean, 2),
    ]
    for name, one, digits in rows:
        if one.value is not None:
            table.add_row(name, _number(one.value, digits), _interval(one, digits), str(one.images))
    table.add_section()
    by_lesion: list[tuple[str, Figure, int]] = [
        ("sensitivity (lesions)", lesions.sensitivity, 3),
        ("false_positives_per_image", lesions.false_positives_per_image, 2),
        ("lesion_precision (regions)", lesions.lesion_precision, 3),
        ("dice_per_lesion_mean (lesions)", lesions.dice_per_lesion_mean, 3),
        ("average_precision (lesions)", lesions.average_precision, 3),
        ("froc_mean_sensitivity (lesions)", lesions.froc_mean_sensitivity, 3),
    ]
    for name, one, digits in by_lesion:
        if one.value is not None:
            table.add_row(name, _number(one.value, digits), _interval(one, digits), str(one.images))
    return table


def _classes(scores: Scores) -> Table:
    table = Table(title="By class", title_justify="left")
    for name in (
        "class",
        "dice_per_image_mean",
        "dice_pooled",
        "iou_per_image_mean",
        "sensitivity",
        "FP/image",
    ):
        table.add_column(name, justify="left" if name == "class" else "right")
    for one in scores.classes:
        table.add_row(
            f"{one.index} {one.name}",
            _number(one.pixels.dice_per_image_mean.value, 3),
            _number(one.pixels.dice_pooled.value, 3),
            _number(one.pixels.iou_per_image_mean.value, 3),
            _number(one.lesions.sensitivity.value, 3),
            _number(one.lesions.false_positives_per_image.value, 2),
        )
    return table


def _subgroups(scores: Scores) -> list[Table]:
    tables = []
    for column in scores.subgroups:
        table = Table(title=f"By {column.column}", title_justify="left")
        for name in (column.column, "images", "dice_per_image_mean", "interval", "sensitivity", "FP/image"):
            table.add_column(name, justify="left" if name == column.column else "right", no_wrap=True)
        for group in column.groups:
            table.add_row(
                group.value,
                str(group.images),
                _number(group.dice_per_image_mean.value, 3),
                _interval(group.dice_per_image_mean, 3),
                _number(group.sensitivity.value, 3),
                _number(group.false_positives_per_image.value, 2),
            )
        tables.append(table)
    return tables


def comparison_table(comparison: Comparison) -> RenderableType:
    """Two runs side by side with the interval of the difference and its p value."""
    table = Table(
        title=f"{comparison.images} shared images of {comparison.patients} patients or sources",
        title_justify="left",
    )
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


def _interval(one: Figure, digits: int, sign: str = "") -> str:
    if one.low is None or one.high is None:
        return ""
    return f"{one.low:{sign}.{digits}f} to {one.high:{sign}.{digits}f}"
