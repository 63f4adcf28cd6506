"""`flexunet plan-study`: how many patients a study needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson


def plan_study(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or folder of an evaluation.")],
    score: Annotated[
        list[str] | None,
        typer.Option(
            "--score",
            help="Score to plan for, a key of scores.json; repeatable. Default: dice_per_image_mean and "
            "sensitivity.",
        ),
    ] = None,
    width: Annotated[
        float, typer.Option("--width", help="Width of the interval, upper end less lower end.")
    ] = 0.1,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="RUN_B", help="Second run: plan a comparison on the same patients."
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference",
            help="Smallest difference that matters, with --against: tells how many patients show it.",
        ),
    ] = None,
    power: Annotated[
        float, typer.Option("--power", help="Chance that such a difference is shown, with --against.")
    ] = 0.8,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Confidence level; 1 less the level of the test.")
    ] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Plan a study: how many patients an interval or a difference needs, from the spread in a run."""
    from flexunet.errors import ConfigError
    from flexunet.evaluation.report.study_console import paired_table, plan_tables
    from flexunet.evaluation.scores.rules import ScoringRules
    from flexunet.evaluation.study import plan_paired_study, plan_study

    ScoringRules(confidence=confidence)
    if difference is not None and against is None:
        raise ConfigError(
            "--difference goes with --against: a difference needs two runs on the same patients."
        )
    if against is None:
        alone = plan_study(run, score or ("dice_per_image_mean", "sensitivity"), width, confidence)
        document, shown = alone.document(), plan_tables(alone.plans, alone.assumptions)
    else:
        paired = plan_paired_study(run, against, difference, power, confidence, score or ())
        document, shown = paired.document(), paired_table(paired.plans, paired.names, paired.assumptions)
    if as_json:
        print_json(document)
    else:
        console.print(shown)
