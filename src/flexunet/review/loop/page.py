"""The page of a loop: Dice of the drafts, time and corrections by round, chosen beside random."""

from __future__ import annotations

import json
import math
from pathlib import Path

from flexunet.config.files import load_config
from flexunet.errors import InputError
from flexunet.files import templates_of, write_text
from flexunet.review.loop.rounds import ARMS, Loop, outcome_of
from flexunet.run_folder import RunFolder
from flexunet.svg import BLUE, ORANGE, Chart, whole_ticks
from flexunet.version import __version__

PAGE = "loop.html"


def write_loop_page(loop: Loop) -> Path:
    """Write the page; it appears whole or not at all. Returns its path."""
    environment = templates_of("flexunet.review.loop")
    rows = []
    for number in range(1, loop.rounds + 1):
        outcomes = outcome_of(loop, number)
        rows += [
            {
                "round": number,
                "arm": arm,
                "outcome": outcomes[arm],
                "validation": best_validation(loop.run_of(number, arm)),
            }
            for arm in ARMS
        ]
    page = environment.get_template("loop.html.jinja").render(
        rows=rows, chart=_chart(rows), version=__version__, loop=loop
    )
    write_text(loop.out / PAGE, page)
    return loop.out / PAGE


def best_validation(run: Path) -> float | None:
    """The lowest validation loss of a run; None where it is not trained yet."""
    try:
        history = json.loads(RunFolder.of(load_config(run)).history.read_text(encoding="utf-8"))
        return min(value for value in history["val_loss"] if math.isfinite(value))
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None


def _chart(rows: list[dict]) -> object:
    points = {
        arm: [
            (float(row["round"]), row["outcome"].draft_dice)
            for row in rows
            if row["arm"] == arm and row["outcome"].draft_dice is not None
        ]
        for arm in ARMS
    }
    last = max((row["round"] for row in rows), default=1)
    chart = Chart(
        "Dice of the drafts by round",
        "round",
        "Dice of drafts",
        (1, max(2, last)),
        x_ticks=whole_ticks(1, max(2, last)),
    )
    for arm, color in zip(ARMS, (BLUE, ORANGE), strict=True):
        chart.line(points[arm], color, dashed=arm == "random")
        chart.dots(points[arm], color)
    return chart.svg()
