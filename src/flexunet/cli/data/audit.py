"""`flexunet audit`: whether a test score on a data set would be true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.colors import ColorsFrom, RgbMap, chosen_masks
from flexunet.cli.console import console, print_json, progress
from flexunet.cli.options import AsJson, Ray
from flexunet.errors import counted

if TYPE_CHECKING:
    from flexunet.data.audit import AuditResult

_COLORS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def audit(
    dataset: Annotated[
        Path,
        typer.Argument(metavar="DATASET", help="Data set, or folder of images and masks."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for audit.html and audit.json.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Compare the pictures, to find copies.")
    ] = True,
    names: Annotated[
        bool, typer.Option("--names/--no-names", help="Use file names to find copies of one image.")
    ] = True,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel jobs.")] = 2,
    ray: Ray = None,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
    as_json: AsJson = False,
) -> None:
    """Audit a data set for leaks and misplaced masks; exit code 1 if a test score would be untrue."""
    from flexunet.data.audit import audit_dataset

    masks = chosen_masks(config_path, rgb_map)
    with progress() as shown:
        result = audit_dataset(
            dataset, masks=masks, compare=compare, use_names=names, jobs=jobs, ray=ray, progress=shown
        )
    if out is not None:
        _write(result, out)
    if as_json:
        print_json(result.document())
    else:
        _print(result, out)
    raise typer.Exit(result.exit_code)


def _write(result: AuditResult, out: Path) -> None:
    import json

    from flexunet.data.audit.report import write_report
    from flexunet.files import write_text

    write_report(result, out / "audit.html")
    write_text(out / "audit.json", json.dumps(result.document(), indent=2, default=str) + "\n")


def _print(result: AuditResult, out: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    if result.findings:
        table = Table(show_lines=True)
        for heading in ("", "finding", "files"):
            table.add_column(heading, justify="right" if heading == "files" else "left")
        table.add_column("what, and what to do", overflow="fold")
        for row in result.summary()["findings"]:
            more = f" ({row['count'] - 1} more like this)" if row["count"] > 1 else ""
            text = Text(f"{row['example']}{more}\n")
            text.append(row["remedy"], style="dim")
            severity = Text(row["severity"], style=_COLORS[row["severity"]])
            table.add_row(severity, Text(row["code"]), str(row["files"]), text)
        console.print(table)
    counts = result.summary()["counts"]
    verdict = (
        "nothing found that would make a test score untrue"
        if result.scores_hold
        else "a test score on this data set would be untrue"
    )
    console.print(
        ", ".join(counted(counts[severity], severity) for severity in counts) + f": {verdict}",
        style="bold" if result.scores_hold else "bold red",
        highlight=False,
        soft_wrap=True,
    )
    for unseen in result.not_known:
        console.print(f"not known: {unseen}", highlight=False, soft_wrap=True)
    if out is not None:
        console.print(f"page with pictures: {out / 'audit.html'}", highlight=False, soft_wrap=True)
