"""The page of a robustness measurement: small multiples of scores against strength, and pairs of films."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from flexunet.errors import counted
from flexunet.evaluation.report.page import breakable, environment, number
from flexunet.evaluation.robustness.document import Curve, FallOff, Retest, Robustness
from flexunet.evaluation.robustness.summarise import MEASURED
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.summary.verdict import FEWEST_PATIENTS
from flexunet.files import write_text
from flexunet.svg import BLUE, GREY, ORANGE, Chart, Frame

_SMALL = Frame(width=330, height=210, left=34, right=24, top=12, bottom=44)
_LOSSES = ("loss", "uneven")
_SHARES = tuple(score for score in MEASURED if score.row.bounded)
_FALSE = next(score for score in MEASURED if not score.row.bounded)
_COLORS = dict(zip((score.key for score in _SHARES), (BLUE, ORANGE), strict=True))
_NAMES = {"dice_per_image_mean": "Dice", "sensitivity": "sensitivity"}


class Told(NamedTuple):
    """An answer at the head of the page: a question, a few words, and why."""

    question: str
    words: str
    sentence: str
    good: bool | None = None


def write_page(path: Path, document: Robustness) -> None:
    """Write the page; it appears whole or not at all."""
    template = environment().get_template("robustness.html.jinja")
    text = template.render(
        document=document,
        measured=MEASURED,
        shares=_SHARES,
        names=_NAMES,
        colors=_COLORS,
        charts={curve.name: curve_chart(curve, document) for curve in document.curves},
        answers={
            curve.name: [(score, fall_off_in_words(curve.falls_off[score.key], curve)) for score in _SHARES]
            for curve in document.curves
        },
        told=[*answers_of(document)],
        losses=[
            (curve, next(score for score in MEASURED if score.key == key), fall)
            for curve in document.curves
            for key, fall in curve.falls_off.items()
            if fall.answer in _LOSSES
        ],
        false_positives=false_positives_in_words,
        in_words=fall_off_in_words,
        bland_altman={pair.name: bland_altman_chart(pair) for pair in document.retest},
        number=number,
        breakable=breakable,
        counted=counted,
    )
    write_text(path, text)


def answers_of(document: Robustness) -> Iterator[Told]:
    """Which changes cost accuracy, which show no loss and how sure that is, and whether patients suffice."""
    lost = [curve for curve in document.curves if any(_answers(curve, *_LOSSES))]
    kept = [curve for curve in document.curves if all(_answers(curve, "none shown"))]
    few = document.patients < FEWEST_PATIENTS
    doubt = ", not proved" if few else ""

    def count(curves: list[Curve]) -> str:
        return f"{len(curves)} of {len(document.curves)}{doubt}"

    question = "Which changes cost accuracy?"
    if lost:
        told = f"Dice or sensitivity is lower with {_labels(lost)}."
        yield Told(question, count(lost), told, None if few else False)
    else:
        yield Told(question, "None shown", "That is no proof that there is none.")
    if kept:
        most = " and ".join(f"{_at_most(kept, score.key)} in {_NAMES[score.key]}" for score in _SHARES)
        told = f"With {_labels(kept)}. By the intervals, the loss at the greatest strength is {most}."
        yield Told("Which show no loss?", count(kept), told)
    if few:
        who = counted(document.patients, "patient" if document.patients_known else "source")
        told = (
            f"{who}; at least {FEWEST_PATIENTS} are needed. Intervals of so few are too narrow, so neither a "
            "loss nor its absence is proved."
        )
        yield Told("Enough patients?", "No", told, False)


def _labels(curves: list[Curve]) -> str:
    """Labels have commas of their own."""
    return "; ".join(curve.label for curve in curves)


def _answers(curve: Curve, *wanted: str) -> list[bool]:
    return [fall.answer in wanted for fall in curve.falls_off.values()]


def _at_most(curves: Sequence[Curve], key: str) -> str:
    """The largest loss that the intervals of some curves leave room for."""
    known = [fall.loss_at_most for curve in curves if (fall := curve.falls_off[key]).loss_at_most is not None]
    return most_in_words(max(known)) if known else "not known"


def most_in_words(loss: float) -> str:
    """An upper limit of a loss.

    >>> most_in_words(0.004), most_in_words(0.034)
    ('below 0.01', 'at most 0.03')
    """
    return "below 0.01" if loss < 0.01 else f"at most {loss:.2f}"


def curve_chart(curve: Curve, document: Robustness) -> Markup:
    """Dice and sensitivity against the strengths of one corruption, with their intervals."""
    strengths = [point.strength for point in curve.points]
    chart = Chart(
        f"Dice and lesion sensitivity against {curve.label}",
        curve.unit,
        "",
        (0, len(strengths)),
        x_ticks=[(0, "none"), *((place, f"{value:g}") for place, value in enumerate(strengths, start=1))],
        y_ticks=[(value / 4, f"{value / 4:g}") for value in range(5)],
        frame=_SMALL,
    )
    for score in _SHARES:
        estimates = [document.scores[score.key], *(point.scores[score.key] for point in curve.points)]
        known = [(place, one) for place, one in enumerate(estimates) if one.value is not None]
        banded = [(float(k), e.low, e.high) for k, e in known if e.low is not None and e.high is not None]
        if len(banded) > 1:
            chart.band(banded, _COLORS[score.key])
        points = [(float(place), one.value or 0.0) for place, one in known]
        chart.line(points, _COLORS[score.key])
        told = [f"{_NAMES[score.key]} {estimate_in_words(one)}" for _, one in known]
        chart.dots(points, _COLORS[score.key], told, radius=3.2)
        fall = curve.falls_off[score.key]
        if fall.answer == "loss" and fall.strength is not None:
            place = 1 + strengths.index(fall.strength)
            chart.dots(
                [(float(place), dict(points)[float(place)])], _COLORS[score.key], radius=7, hollow=True
            )
    return chart.svg()


def bland_altman_chart(pair: Retest) -> Markup | None:
    """Difference of the predicted areas of each pair against their mean; None where pairs are not known."""
    told = pair.prediction
    if told is None or told.bias.value is None:
        return None
    points = [((one + two) / 2, two - one) for one, two in pair.areas]
    lines = [one.value for one in (told.lower_limit, told.bias, told.upper_limit) if one.value is not None]
    ends = [*(difference for _, difference in points), *lines, 0.0]
    room = 0.06 * ((max(ends) - min(ends)) or 1.0)
    most = 1.05 * max(mean for mean, _ in points) or 1.0
    chart = Chart(
        f"Bland-Altman plot of {pair.name}",
        f"mean predicted area of both, {pair.area_unit}",
        f"{pair.second} less {pair.first}",
        (0, most),
        (min(ends) - room, max(ends) + room),
        frame=Frame(width=440, height=280, left=52, right=20, top=12, bottom=46),
    )
    chart.line([(0, 0), (most, 0)], GREY)
    for value in lines:
        chart.line([(0, value), (most, value)], ORANGE, dashed=value != told.bias.value)
    chart.dots(points, BLUE, radius=3.4)
    return chart.svg()


def fall_off_in_words(fall: FallOff, curve: Curve, brief: bool = False) -> str:
    """Where a score falls off, in words that claim no more than the interval.

    Args:
        fall: The answer.
        curve: The corruption.
        brief: Whether to leave out how large a loss that is not shown may be.
    """
    last = f"{curve.points[-1].strength:g}"
    if fall.answer == "not known":
        return "not known: no interval"
    if fall.answer == "loss":
        return f"lower from {fall.strength:g} on"
    if fall.answer == "uneven":
        return f"lower at {fall.strength:g}, but not shown to be at {last}"
    if brief or fall.loss_at_most is None:
        return "no loss shown"
    return f"no loss shown ({most_in_words(fall.loss_at_most)} at {last})"


def false_positives_in_words(curve: Curve, document: Robustness) -> str:
    """False positives per image as they are and at each strength: they have no bound to fall off from."""
    estimates = [document.scores[_FALSE.key], *(point.scores[_FALSE.key] for point in curve.points)]
    before, *after = (number(one.value, 1) for one in estimates)
    return f"{_FALSE.title}: {before}, then {', '.join(after)}"


def estimate_in_words(one: Estimate, digits: int = 3, signed: bool = False) -> str:
    """A value with its interval; `n/a` where it does not exist."""
    if one.value is None:
        return "n/a"
    sign = "+" if signed else ""
    text = f"{one.value:{sign}.{digits}f}"
    if one.low is None or one.high is None:
        return text
    return f"{text} ({one.low:{sign}.{digits}f} to {one.high:{sign}.{digits}f})"


def summary_rows(document: Robustness) -> list[dict[str, str]]:
    """A row for the images as they are and one for each corruption, for a table in a terminal."""
    unchanged = {_NAMES[score.key]: number(document.scores[score.key].value, 2) for score in _SHARES}
    return [
        {"corruption": "none", "strengths": "", **unchanged},
        *(
            {
                "corruption": curve.label,
                "strengths": ", ".join(f"{point.strength:g}" for point in curve.points),
                **{
                    _NAMES[key]: ", ".join(number(point.scores[key].value, 2) for point in curve.points)
                    + f"\n{fall_off_in_words(fall, curve, brief=True)}"
                    for key, fall in curve.falls_off.items()
                },
            }
            for curve in document.curves
        ),
    ]
