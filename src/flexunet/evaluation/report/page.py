"""The report: one HTML page that needs no other file and no network."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from flexunet.curves import curve_chart
from flexunet.data.images.files.read import read_image
from flexunet.errors import InputError, counted
from flexunet.evaluation.charts import scores as report_charts
from flexunet.evaluation.report.overlays import close_up, data_uri, overlay
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import SET_LESION_SCORES, SET_SCORES, shown_in
from flexunet.evaluation.summary.build import default_class_names
from flexunet.evaluation.summary.regions import SENTENCE, are_regions
from flexunet.evaluation.summary.verdict import (
    froc_in_words,
    in_words,
    lesions_in_words,
    trivial_in_words,
)
from flexunet.evaluation.tables.document import Scores
from flexunet.evaluation.tables.extremes import Extremes, ScoredImage
from flexunet.evaluation.tables.rows import Tables
from flexunet.files import templates_of, write_text
from flexunet.svg import interval_bar, prose

_RATE_NAMES = ("1/8", "1/4", "1/2", "1", "2", "4", "8")
_MARKS = {True: "✓", False: "✗", None: "?"}
_MATCHES = {
    "iou": "A predicted region finds a lesion when their intersection over union is at least {lesion_iou:g}",
    "overlap": "A predicted region finds a lesion when they share a pixel",
    "centre": "A predicted region finds a lesion when its centre of mass lies in it",
}
_EMPTY = {
    "exclude": "Left out of the means by image: {images} with nothing in truth and prediction.",
    "one": "Counted as 1 in the means by image: {images} with nothing in truth and prediction.",
    "zero": "Counted as 0 in the means by image: {images} with nothing in truth and prediction.",
}


def environment() -> Environment:
    """The templates of this room; values are escaped, and a name that is not there is an error."""
    templates = templates_of("flexunet.evaluation.report")
    templates.globals["counted"] = counted
    templates.filters["prose"] = prose
    return templates


def write_report(
    path: Path,
    scores: Scores,
    tables: Tables,
    gallery: Extremes | None = None,
    *,
    title: str,
    curves_dir: Path | None = None,
) -> None:
    """Write the page; it appears whole or not at all.

    Args:
        path: The file.
        scores: The scores.
        tables: The tables behind them.
        gallery: Best and worst images.
        title: Headline.
        curves_dir: Folder of the training curves (`train_losses.csv`, `train_metrics.csv`), if any.
    """
    chosen = gallery or Extremes(0)
    regions = are_regions(tables.truth)
    worst, best = ([_drawn(image) for image in images] for images in (chosen.worst, chosen.best))
    page = (
        environment()
        .get_template("report.html.jinja")
        .render(
            title=title,
            scores=scores.model_dump(),
            charts={
                "histogram": report_charts.dice_histogram(tables, scores),
                "by_size": report_charts.dice_by_size(tables),
                "froc": report_charts.froc_chart(scores.lesions),
                "decision": report_charts.decision_chart(scores.lesions),
                "reliability": scores.probability and report_charts.reliability_chart(scores.probability),
                "training": training_charts(curves_dir) if curves_dir else [],
            },
            worst=worst,
            best=best,
            unpictured=sum(not image["pictured"] for image in (*worst, *best)),
            marks=_MARKS,
            rate_names=_RATE_NAMES,
            number=number,
            interval=_interval,
            in_words=_in_words,
            plain=_plain,
            breakable=breakable,
            empty_dice=empty_dice(tables, scores.rules["empty_masks"]),
            empty_sentence=_EMPTY[scores.rules["empty_masks"]].format(
                images=counted(scores.foreground.empty_images, "image")
            )
            if scores.foreground.empty_images
            else "",
            match_sentence=match_sentence(scores),
            lesion_sentence=lesions_in_words(scores.lesions),
            verdict=scores.verdict,
            regions=regions,
            regions_sentence=SENTENCE,
            froc_sentence=froc_in_words(scores.lesions),
            trivial_sentence=trivial_in_words(tables),
            tiles=[score for score in shown_in("tiles") if not (regions and score.group == "lesions")],
            headline=shown_in("headline"),
            pixel_rows=[score for score in SET_SCORES if scores.foreground[score.key].value is not None],
            lesion_rows=SET_LESION_SCORES,
            class_names=[
                default_class_names(len(scores.confusion))[0],
                *(one.name for one in scores.classes),
            ],
        )
    )
    write_text(path, page)


def match_sentence(scores: Scores) -> str:
    """The rule of matching, in a sentence."""
    rules = scores.rules
    text = _MATCHES[rules["lesion_match"]].format(**rules) + "; each finds one at most"
    if rules["min_lesion_pixels"]:
        text += f"; regions below {counted(rules['min_lesion_pixels'], 'pixel')} are left out"
    return text + "."


def empty_dice(tables: Tables, rule: str) -> float:
    """`dice_per_image_mean` of an empty prediction under the empty-mask rule.

    Under `exclude` it is 0, for only images with a lesion count.
    """
    without = float((tables.truth[:, 1:].sum(axis=1) == 0).mean())
    return without if rule == "one" else 0.0


def _drawn(image: ScoredImage) -> dict[str, Any]:
    picture = None
    if image.image_path:
        try:
            picture = read_image(image.image_path, channels=None, grey_range="auto")
        except InputError:
            picture = None  # the page is about masks; a missing picture must not cost it
    truth, prediction = image.masks()
    return {
        **image._asdict(),
        "pictured": picture is not None,
        "whole": data_uri(overlay(picture, truth, prediction)),
        "close": data_uri(close_up(picture, truth, prediction)),
    }


def training_charts(folder: Path) -> list[Markup]:
    """Charts of the training curves in a folder."""
    charts = []
    for name in ("losses", "metrics"):
        path = folder / f"train_{name}.csv"
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8-sig") as stream:
            titles, *rows = [[text.strip() for text in row] for row in csv.reader(stream) if row] or [[]]
        columns = {
            title: [_value(row[index]) for row in rows if index < len(row)]
            for index, title in enumerate(titles)
            if title and title != "epoch"
        }
        for name in dict.fromkeys(title.removeprefix("val_") for title in columns):
            if chart := curve_chart(name, columns):
                charts.append(chart.svg())
    return charts


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def number(value: float | None, digits: int) -> str:
    """A value with its decimals; n/a where there is none."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def breakable(name: str) -> Markup:
    """A score's name that may go on in the next line after an underscore."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _interval(one: dict[str, Any]) -> Markup:
    return interval_bar(one["low"], one["value"], one["high"])


def _in_words(one: dict[str, Any]) -> str:
    return in_words(Estimate.model_validate(one))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
