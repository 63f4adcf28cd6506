"""What came of a grid: folds pooled, seeds side by side, configurations compared, missing tasks named."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flexunet.config.files import load_config
from flexunet.data.tables import rows_as_text
from flexunet.evaluation.report.comparison_page import write_comparison
from flexunet.evaluation.report.outputs import read_scores
from flexunet.evaluation.run import evaluate_fold_runs
from flexunet.evaluation.scores.registry import SetScore, shown_in
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import compare_tables, read_pair
from flexunet.evaluation.summary.verdict import compared_in_words
from flexunet.evaluation.tables.document import estimate_of
from flexunet.files import write_text
from flexunet.programs.jobs.grid import Grid, Task
from flexunet.progress import Progress, silent
from flexunet.run_folder import SCORES, RunFolder

SUMMARY, TABLE = "summary.json", "summary.csv"


@dataclass
class Gathered:
    """What came of a grid.

    Attributes:
        folder: Where the files are.
        missing: Tasks without an evaluation.
        scores: Value of each score by configuration and seed, of seeds whose tasks are all there.
        comparisons: What a comparison of two configurations says, by its folder.
    """

    folder: Path
    missing: list[Task]
    scores: dict[str, dict[int, dict[str, float | None]]]
    comparisons: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each configuration and score: mean, standard deviation and range over seeds."""
        rows = []
        for experiment, by_seed in self.scores.items():
            for score in shown_in("headline"):
                values = [told[score.key] for told in by_seed.values()]
                known = [value for value in values if value is not None]
                rows.append(
                    {
                        "experiment": experiment,
                        "score": score.key,
                        "seeds": len(known),
                        "mean": statistics.fmean(known) if known else None,
                        "deviation": statistics.stdev(known) if len(known) > 1 else None,
                        "lowest": min(known, default=None),
                        "highest": max(known, default=None),
                    }
                )
        return rows

    def document(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "schema": "flexunet.gathered/1",
            "missing": [task.name for task in self.missing],
            "scores": self.scores,
            "summary": self.rows(),
            "comparisons": self.comparisons,
        }


def gather(folder: Path, *, jobs: int | None = None, progress: Progress = silent) -> Gathered:
    """Pool the folds of each seed, and compare the first configuration with the others on the first seed.

    Writes summary.json, summary.csv, and a folder for each pooled evaluation and comparison. Tasks that are
    missing are named, and what is whole without them is gathered.

    Args:
        folder: Folder of the grid.
        jobs: Threads.
        progress: Told how far each stage is.

    Raises:
        PathError: if there is no grid.
    """
    grid = Grid.read(folder)
    missing = [task for task in grid.tasks if not (_evaluation(grid, task) / SCORES).is_file()]
    whole: dict[str, dict[int, Path]] = {}
    for experiment in grid.experiments:
        whole[experiment] = {}
        seeds = dict.fromkeys(task.seed for task in grid.tasks if task.experiment == experiment)
        for seed in seeds:
            tasks = [task for task in grid.tasks if (task.experiment, task.seed) == (experiment, seed)]
            if not any(task in missing for task in tasks):
                whole[experiment][seed] = _pooled(grid, tasks, jobs, progress)
    gathered = Gathered(
        grid.gathered,
        missing,
        {
            name: {seed: _values(path, shown_in("headline")) for seed, path in by_seed.items()}
            for name, by_seed in whole.items()
        },
    )
    _compare(grid, whole, gathered)
    write_text(grid.gathered / TABLE, _table(gathered.rows()))
    write_text(grid.gathered / SUMMARY, json.dumps(gathered.document(), indent=2) + "\n")
    return gathered


def _evaluation(grid: Grid, task: Task) -> Path:
    return RunFolder.of(load_config(grid.config_file(task))).evaluation


def _pooled(grid: Grid, tasks: Sequence[Task], jobs: int | None, progress: Progress) -> Path:
    """Folder of the evaluation of a seed: of its only run, or of its folds together."""
    if tasks[0].fold is None:
        return _evaluation(grid, tasks[0])
    out = grid.gathered / f"{tasks[0].experiment}-seed_{tasks[0].seed}"
    runs = [grid.config_file(task) for task in tasks]
    evaluate_fold_runs(runs, out=out, jobs=jobs, progress=progress)
    return out


def _values(folder: Path, scores: Sequence[SetScore]) -> dict[str, float | None]:
    document = read_scores(folder)
    return {score.key: estimate_of(document, score).value for score in scores}


def _compare(grid: Grid, whole: dict[str, dict[int, Path]], gathered: Gathered) -> None:
    """The first configuration with each other one, on the first seed that both have."""
    first, *others = grid.experiments
    for other in others:
        places = zip(whole[first].items(), whole[other].items(), strict=False)
        (_, one), (_, two) = next(places, ((0, None), (0, None)))
        if one is None or two is None:
            continue
        rules = ScoringRules()
        pair = read_pair(one, two)
        comparison = compare_tables(*pair.tables, (first, other), rules)
        folder = grid.gathered / f"{first}-against-{other}"
        pair = pair._replace(names=(first, other))
        write_comparison(folder, comparison, pair, rules)
        gathered.comparisons[folder.name] = compared_in_words(comparison, pair.patients_known)[1]


def _table(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(rows[0]) if rows else ["experiment"]
    return rows_as_text(columns, ([row[name] for name in columns] for row in rows))
