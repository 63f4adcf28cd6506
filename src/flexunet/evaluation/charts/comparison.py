"""The charts of a comparison: differences with their intervals, and both runs image by image."""

from __future__ import annotations

import math

from markupsafe import Markup

from flexunet.evaluation.tables.document import ComparedScore, Comparison
from flexunet.evaluation.tables.rows import Tables
from flexunet.svg import BLUE, FRAME, GREY, ORANGE, Chart, Frame, nice_ticks

_ROW = 28  # height of one score


def differences(comparison: Comparison) -> Markup | None:
    """Difference of each share (second less first) with its interval; None where no share is known.

    Distances and counts have other units and stand in the table alone.
    """
    shares = [one for one in comparison.scores if one.higher_is_better and one.difference.value is not None]
    if not shares:
        return None
    reach = max(abs(end) for one in shares for end in _ends(one))
    reach = max(0.01, math.ceil(reach * 20) / 20 if reach > 0.05 else math.ceil(reach * 100) / 100)
    ticks = [(value, f"{value:+g}" if round(value, 9) else "0") for value, _ in nice_ticks(-reach, reach, 6)]
    rows = list(enumerate(reversed(shares)))
    frame = Frame(780, FRAME.top + FRAME.bottom + _ROW * len(rows))
    chart = Chart(
        f"Differences, {comparison.second} less {comparison.first}, with intervals",
        "difference (interval); right of 0 the second scores higher",
        "",
        (-reach, reach),
        (-0.5, len(rows) - 0.5),
        x_ticks=ticks,
        y_ticks=[(row, one.name) for row, one in rows],
        frame=frame,
    )
    chart.mark(0.0, color=GREY, dash="3 3")
    for row, one in rows:
        low, value, high = _ends(one)
        chart.line([(low, row), (high, row)], BLUE)
        chart.dots([(value, row)], BLUE, [f"{one.name}: {value:+.3f} ({low:+.3f} to {high:+.3f})"])
    return chart.svg()


def _ends(one: ComparedScore) -> tuple[float, float, float]:
    """Lower end, value and upper end; the value thrice where there is no interval."""
    difference = one.difference
    value = difference.value or 0.0
    return (
        value if difference.low is None else difference.low,
        value,
        value if difference.high is None else difference.high,
    )


def image_by_image(first: Tables, second: Tables, names: tuple[str, str]) -> Markup | None:
    """`dice_per_image` of the second run against the first; None where no image has it in both."""
    dice = [
        dict(zip((origin.name for origin in part.origins), part.by_image()["dice"].tolist(), strict=True))
        for part in (first, second)
    ]
    shared = [name for name in dice[0] if math.isfinite(dice[0][name] + dice[1].get(name, math.nan))]
    if not shared:
        return None
    chart = Chart(
        f"dice_per_image of {names[1]} against {names[0]}",
        f"dice_per_image of {_short(names[0])}",
        f"dice_per_image of {_short(names[1])}",
        (0, 1),
        frame=Frame(width=440, height=380),
    )
    chart.line([(0, 0), (1, 1)], GREY, dashed=True)
    chart.dots(
        [(dice[0][name], dice[1][name]) for name in shared],
        ORANGE,
        [f"{name}: {dice[0][name]:.3f}, {dice[1][name]:.3f}" for name in shared],
    )
    return chart.svg()


def _short(name: str, most: int = 30) -> str:
    """A name that fits beside an axis; its end tells runs apart."""
    return name if len(name) <= most else "…" + name[1 - most :]
