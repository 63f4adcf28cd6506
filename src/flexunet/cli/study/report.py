"""`flexunet report`: checklists of journals, filled from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, error_console, print_json
from flexunet.cli.options import AsJson


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder, or its configuration; it must be evaluated.")
    ],
    claim: Annotated[bool, typer.Option("--claim", help="CLAIM 2024, 44 items.")] = False,
    tripod: Annotated[bool, typer.Option("--tripod", help="TRIPOD+AI 2024, 27 items.")] = False,
    modelcard: Annotated[
        bool, typer.Option("--modelcard", help="Model card by Mitchell et al. (2019).")
    ] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation", metavar="FOLDER", help="Evaluation to report, such as that of all folds."
        ),
    ] = None,
    derived: Annotated[
        Path | None,
        typer.Option(
            "--derived", metavar="FOLDER", help="Folder that `derive` wrote: films left out, and why."
        ),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", metavar="PATH", help="What was reviewed: how far its readers agree."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for pages and figures. Default: RUN/report.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fill a reporting checklist from a run: what its files answer, and what a person has to write."""
    from flexunet.cli.configuration import open_config
    from flexunet.errors import ConfigError
    from flexunet.reporting.claim import CLAIM
    from flexunet.reporting.facts import read_facts, require_derived
    from flexunet.reporting.model_cards import MODELCARD
    from flexunet.reporting.tripod import TRIPOD
    from flexunet.reporting.write import write_checklists

    chosen = [row for row, wanted in ((CLAIM, claim), (TRIPOD, tripod), (MODELCARD, modelcard)) if wanted]
    if not chosen:
        raise ConfigError("name what to fill: --claim, --tripod or --modelcard (or several).")
    agreement = None
    if derived:
        require_derived(derived)
    if review:
        from flexunet.reporting.agreement import read_agreement

        agreement = read_agreement(review)
    config = open_config(run)
    facts = read_facts(config, evaluation=evaluation, derived=derived, agreement=agreement)
    written = write_checklists(facts, chosen, out or config.run_dir / "report")
    if as_json:
        print_json([one.document() for one in written])
    for one in written:
        if not as_json:
            told = ", ".join(f"{number} {name}" for name, number in one.counts.items())
            console.print(f"{one.checklist.title}: {told}", highlight=False)
        for path in one.paths:
            error_console.print(str(path), soft_wrap=True, highlight=False)
