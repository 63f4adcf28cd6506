"""`flexunet compare`: two runs on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="Run folder, or folder of an evaluation.")],
    second: Annotated[
        Path, typer.Argument(metavar="RUN_B", help="Run folder or evaluation folder to compare RUN_A with.")
    ],
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", help="Number of bootstrap samples and of permutations.")
    ] = 2000,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Confidence level of the interval.")
    ] = 0.95,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap and the permutations.")] = 137,
    as_json: AsJson = False,
) -> None:
    """Compare two evaluated runs: differences (B minus A), their intervals and permutation p values."""
    from flexunet.evaluation.scores.rules import ScoringRules
    from flexunet.evaluation.summary.comparison import compare_runs

    rules = ScoringRules(bootstrap_samples=bootstrap, confidence=confidence, seed=seed)
    found = compare_runs(first, second, rules)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    from flexunet.evaluation.report.console import comparison_table

    console.print(comparison_table(found))
    for name, count in ((found.first, found.only_in_first), (found.second, found.only_in_second)):
        if count:
            console.print(f"{count} images were scored in {name} alone and left out.", highlight=False)
