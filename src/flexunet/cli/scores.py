"""How a command tells what an evaluation found: notes, tables or JSON, and where the report lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flexunet.cli.console import console, error_console, print_json, print_notes

if TYPE_CHECKING:
    from flexunet.evaluation.report.outputs import Evaluation


def print_evaluation(found: Evaluation, *, subgroups: bool, as_json: bool) -> None:
    """Print the scores; notes and the place of the report go to standard error."""
    print_notes(found.notes)
    if as_json:
        print_json(found.scores.model_dump(mode="json", by_alias=True))
    else:
        from flexunet.evaluation.report.console import scores_tables
        from flexunet.evaluation.summary.regions import are_regions

        regions = are_regions(found.tables.truth)
        console.print(scores_tables(found.scores, subgroups=subgroups, regions=regions))
    if found.folder is not None:
        error_console.print(f"report: {found.folder / 'report.html'}", soft_wrap=True)
