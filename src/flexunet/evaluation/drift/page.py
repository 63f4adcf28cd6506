"""The page of a comparison: the answer, every measure with its distributions, and what the figures mean."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from markupsafe import Markup

from flexunet.errors import counted
from flexunet.evaluation.drift.compare import FEWEST, LEVEL, MAJOR, SOME, Difference
from flexunet.evaluation.drift.measures import Measure, Value
from flexunet.evaluation.drift.run import DriftResult
from flexunet.evaluation.report.page import environment, number
from flexunet.files import write_text
from flexunet.svg import BLUE, ORANGE, Chart, Frame, nice_ticks

DOCUMENT, PAGE = "drift.json", "drift.html"
_SMALL = Frame(width=330, height=164, left=34, right=14, top=10, bottom=24)
_BINS = 24
_MOST_WORDS = 8
_GROUPS = {
    "picture": "Pictures",
    "acquisition": "Acquisition",
    "prediction": "What the model predicts",
}
WORDS = {
    "drift": "drift",
    "some change": "some change",
    "none shown": "none shown",
    "too few": "too few images to say",
    "not known": "not known",
}


def write_drift(result: DriftResult, out: Path) -> None:
    """Write drift.html and drift.json; each appears whole or not at all."""
    write_page(out / PAGE, result)
    write_text(out / DOCUMENT, json.dumps(result.document(), indent=2, allow_nan=False) + "\n")


def write_page(path: Path, result: DriftResult) -> None:
    """Write the page; it appears whole or not at all."""
    template = environment().get_template("drift.html.jinja")
    charts = {
        one.measure.name: chart
        for one in result.differences
        if (chart := distribution_chart(one.measure, *_values(result, one.measure))) is not None
    }
    sides = {one.measure.name: _values(result, one.measure) for one in result.differences}
    text = template.render(
        result=result,
        groups=[
            (title, [one for one in result.differences if one.measure.group == group])
            for group, title in _GROUPS.items()
        ],
        charts=charts,
        words=WORDS,
        number=number,
        medians={one.measure.name: _medians(one, *sides[one.measure.name]) for one in result.differences},
        p_in_words=p_in_words,
        level=LEVEL,
        some=SOME,
        major=MAJOR,
        fewest=FEWEST,
        counted=counted,
        document=result.document(),
    )
    write_text(path, text)


def _values(result: DriftResult, measure: Measure) -> tuple[list[Value], list[Value]]:
    before, now = (
        [one.values[measure.name] for one in side if measure.name in one.values]
        for side in (result.reference.measured, result.recent)
    )
    return before, now


def distribution_chart(measure: Measure, before: list[Value], now: list[Value]) -> Markup | None:
    """Shares of both sides: a staircase for numbers, pairs of bars for words; None where a side has none."""
    if not before or not now:
        return None
    return (_staircase if measure.numeric else _bars)(measure, before, now)


def _staircase(measure: Measure, before: list[Value], now: list[Value]) -> Markup:
    sides = np.array(before, np.float64), np.array(now, np.float64)
    low, high = min(map(np.min, sides)), max(map(np.max, sides))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    shares = [np.histogram(side, _BINS, (low, high))[0] / len(side) for side in sides]
    chart = _chart(measure, (float(low), float(high)), float(max(map(np.max, shares))))
    edges = np.linspace(low, high, _BINS + 1)
    for share, color in zip(shares, (BLUE, ORANGE), strict=True):
        corners = [(float(edges[0]), 0.0), *zip(edges[:-1].tolist(), share.tolist(), strict=True)]
        corners += [(float(edges[-1]), float(share[-1])), (float(edges[-1]), 0.0)]
        chart.line(corners, color, steps=True)
    return chart.svg()


def _bars(measure: Measure, before: list[Value], now: list[Value]) -> Markup:
    sides = Counter(map(str, before)), Counter(map(str, now))
    words = [word for word, _ in (sides[0] + sides[1]).most_common(_MOST_WORDS)]
    most = max(side[word] / side.total() for side in sides for word in words)
    ticks = [(place + 0.5, word[:14]) for place, word in enumerate(words)]
    chart = _chart(measure, (0.0, float(len(words))), most, ticks)
    for place, word in enumerate(words):
        for side, color, start in zip(sides, (BLUE, ORANGE), (0.15, 0.5), strict=True):
            share = side[word] / side.total()
            chart.bar(place + start, place + start + 0.35, share, color, f"{word}: {share:.0%}")
    return chart.svg()


def _chart(
    measure: Measure, ends: tuple[float, float], most: float, ticks: list[tuple[float, str]] | None = None
) -> Chart:
    top = 1.08 * most
    return Chart(
        f"Distribution of {measure.label}: reference and recent images",
        "",
        "",
        ends,
        (0.0, top),
        x_ticks=ticks or nice_ticks(*ends, 4),
        y_ticks=[(value, f"{value:.0%}") for value, _ in nice_ticks(0.0, top, 3)],
        frame=_SMALL,
    )


def p_in_words(p: float | None) -> str:
    """A p value; how far below a ten-thousandth it lies is beyond what the test can tell.

    >>> p_in_words(1.4e-14), p_in_words(0.0159), p_in_words(None)
    ('< 0.0001', '0.016', 'n/a')
    """
    return "n/a" if p is None else "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _medians(one: Difference, before: list[Value], now: list[Value]) -> str:
    """Medians of both sides; of words the share of the one that is commonest in the reference."""
    if not before or not now:
        return ""
    if one.measure.numeric:
        return " → ".join(f"{np.median(np.array(side, np.float64)):.4g}" for side in (before, now))
    [(word, _)] = Counter(before).most_common(1)
    return f"{word} " + " → ".join(f"{side.count(word) / len(side):.0%}" for side in (before, now))
