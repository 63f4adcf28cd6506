"""`flexunet compare`: two runs on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, error_console, print_json
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
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for comparison.html, a page with charts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two evaluated runs: differences (B minus A), their intervals and permutation p values."""
    from flexunet.evaluation.report.comparison_page import write_comparison
    from flexunet.evaluation.report.console import comparison_table
    from flexunet.evaluation.scores.rules import ScoringRules
    from flexunet.evaluation.summary.comparison import compare_tables, read_pair
    from flexunet.evaluation.summary.verdict import compared_in_words, left_out_in_words

    rules = ScoringRules(bootstrap_samples=bootstrap, confidence=confidence, seed=seed)
    pair = read_pair(first, second)
    comparison = compare_tables(*pair.tables, pair.names, rules)
    page = write_comparison(out, comparison, pair, rules) if out else None
    _, sentence = compared_in_words(comparison, pair.patients_known)
    if as_json:
        print_json({**comparison.model_dump(mode="json"), "sentence": sentence})
    else:
        console.print(comparison_table(comparison, pair.patients_known))
        for line in (*left_out_in_words(comparison), sentence):
            console.print(line, highlight=False)
    if page is not None:
        error_console.print(f"page: {page}", soft_wrap=True)
