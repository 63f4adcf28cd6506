"""`flexunet config check|convert|schema`: look at configurations, turn published ones into TOML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexunet.cli.console import console, error_console, print_json
from flexunet.cli.options import AsJson, Overrides, Strict

if TYPE_CHECKING:
    from flexunet.config.files import Verdict

config = typer.Typer(
    help="Check configurations, convert published ones to TOML, print the schema.", no_args_is_help=True
)

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help=".toml or published .config files, or run folders.")
]


@config.command()
def check(files: Files, overrides: Overrides = None, strict: Strict = False, as_json: AsJson = False) -> None:
    """Say of each file whether it can be used, and what there is to say about it; exit 2 if one cannot.

    Files and folders that it names and that are not on this machine are named, and change no exit code.
    """
    from flexunet.config.files import check_file

    verdicts = [check_file(file, overrides or (), strict=strict) for file in files]
    if as_json:
        print_json([verdict.document() for verdict in verdicts])
    else:
        _print_table(verdicts)
    unusable = sum(not verdict.usable for verdict in verdicts)
    incomplete = sum(bool(verdict.missing) for verdict in verdicts)
    told = f"; {incomplete} of them without all files and folders on this machine" if incomplete else ""
    error_console.print(f"{len(verdicts) - unusable} usable, {unusable} not{told}", soft_wrap=True)
    if unusable:
        raise typer.Exit(2)


@config.command()
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .config or .toml file, or a run folder.")],
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="File to write. Default: FILE with the suffix .toml.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite OUT if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a configuration as TOML; what it could not carry over stands in comments."""
    from flexunet.config.convert import convert_config

    written = convert_config(file, out, overwrite=overwrite)
    if as_json:
        print_json({"source": str(file), "written": str(written)})
    else:
        console.print(str(written), highlight=False, soft_wrap=True)


@config.command()
def schema() -> None:
    """Print the JSON schema of configurations, for editors that check TOML as you type."""
    from flexunet.config.page import json_schema

    print_json(json_schema())


def _print_table(verdicts: list[Verdict]) -> None:
    from rich.table import Table
    from rich.text import Text

    table: Any = Table(
        "file", "usable", "notes", show_lines=any(verdict.notes or verdict.missing for verdict in verdicts)
    )
    for verdict in verdicts:
        said = [verdict.error.removeprefix(f"{verdict.file}: ")] if verdict.error else verdict.notes
        said = [*said, *(f"not here: {one}" for one in verdict.missing)]
        table.add_row(
            Text(str(verdict.file), overflow="fold"),
            Text("yes", style="green") if verdict.usable else Text("no", style="bold red"),
            Text("\n".join(said), overflow="fold"),
        )
    console.print(table)
