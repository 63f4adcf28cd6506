"""Measure how the scores of a run, or of the runs of a cross-validation, hold; write what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flexunet.data.tables import rows_as_text
from flexunet.evaluation.robustness.corruptions import CORRUPTIONS, Corruption
from flexunet.evaluation.robustness.document import Robustness
from flexunet.evaluation.robustness.measure import measure
from flexunet.evaluation.robustness.page import write_page
from flexunet.evaluation.robustness.summarise import MEASURED, summarise
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.files import write_text
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config

DOCUMENT, TABLE, PAGE = "robustness.json", "robustness.csv", "robustness.html"
_COLUMNS = (
    "corruption", "unit", "strength", "score",
    "value", "low", "high", "difference", "difference_low", "difference_high", "units",
)  # fmt: skip


class RobustnessResult(NamedTuple):
    """What a measurement came to.

    Attributes:
        document: All figures.
        folder: Where its files are.
        notes: What a user should know.
    """

    document: Robustness
    folder: Path
    notes: list[str]


def measure_robustness(
    configs: Sequence[Config],
    *,
    out: Path,
    split: str = "test",
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    calibrate: bool = True,
    jobs: int | None = None,
    progress: Progress = silent,
) -> RobustnessResult:
    """Score test images that are noisy, blurred, darker, moved or smaller, and write curves of it.

    Nothing is fitted or chosen by what comes out: it is a measurement. The masks are those that `flexunet
    infer` writes.

    Args:
        configs: A run, or the runs of a cross-validation, each of which is measured on its own images.
        out: Folder for robustness.json, robustness.csv and robustness.html.
        split: Which images.
        corruptions: What they are put through; all rows of the table by default.
        calibrate: As in `evaluate`.
        jobs: Threads for scoring.
        progress: Told how far it is.

    Raises:
        ConfigError: if the runs differ in their classes.
        DatasetError: if an image is in the splits of two runs.
    """
    notes: list[str] = []
    rules = ScoringRules.from_section(configs[0].evaluate, seed=configs[0].train.seed)
    measured = measure(
        configs,
        split,
        corruptions,
        rules,
        calibrate=calibrate,
        notes=notes,
        jobs=jobs,
        progress=progress,
    )
    runs = [config.run_dir.resolve().name for config in configs]
    document = summarise(measured, corruptions, rules, runs=runs, split=split)
    write_text(out / TABLE, table_text(document))
    write_page(out / PAGE, document)
    # Last, so that the document means that all of it is there.
    told = document.model_dump(mode="json", by_alias=True)
    write_text(out / DOCUMENT, json.dumps(told, indent=2, allow_nan=False) + "\n")
    return RobustnessResult(document, out, list(dict.fromkeys(notes)))


def table_text(document: Robustness) -> str:
    """The curves as CSV: a row for each corruption, strength and score; `none` are the images as they are."""
    return rows_as_text(_COLUMNS, _rows(document))


def _rows(document: Robustness) -> Iterator[list[str | float | None]]:
    def row(
        name: str, unit: str, strength: float | None, value: Estimate, change: Estimate, key: str
    ) -> list:
        return [
            name, unit, strength, key, value.value, value.low, value.high,
            change.value, change.low, change.high, value.images,
        ]  # fmt: skip

    for score in MEASURED:
        yield row("none", "", None, document.scores[score.key], Estimate(), score.key)
    sides = document.sides
    for score in MEASURED:
        yield row("flipped_sides", "", None, sides.scores[score.key], sides.differences[score.key], score.key)
    for curve in document.curves:
        for point in curve.points:
            for score in MEASURED:
                of_score = point.scores[score.key], point.differences[score.key]
                yield row(curve.name, curve.unit, point.strength, *of_score, score.key)
