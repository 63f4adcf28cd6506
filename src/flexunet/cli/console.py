"""Where the commands print: figures on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

# No markup: what is printed names sections and folders, and brackets belong to them.
console = Console(markup=False)
error_console = Console(stderr=True, markup=False)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, and nothing else."""
    print(json.dumps(document, indent=2, default=str))  # noqa: T201


def progress() -> Progress:
    """Progress bars with counts, rate and time left, on standard error."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    # Where the window is narrow the note gives way, and then the bar; times and counts stay whole.
    whole = partial(Column, no_wrap=True, min_width=5)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(min_width=6, max_width=40, ratio=1)),
        MofNCompleteColumn(table_column=whole()),
        TimeElapsedColumn(table_column=whole(min_width=7)),
        TextColumn("left"),
        TimeRemainingColumn(compact=True, table_column=whole()),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=error_console,
        # Rich forgets what is older than 30 seconds; an epoch takes longer, and would never have a time left.
        speed_estimate_period=3600,
    )


def printable(text: str) -> str:
    """Text for a terminal: what could steer it, or has no letters, as an escape.

    File names and headers come from elsewhere, and may hold anything.
    """
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def print_failures(failures: Mapping[Path, str]) -> None:
    """Print what was wrong with which input on standard error, and end with exit code 2 if anything was.

    Raises:
        typer.Exit: if there are failures.
    """
    for path, message in failures.items():
        named = message if str(path) in message else f"{path}: {message}"
        error_console.print(f"problem: {printable(named)}", soft_wrap=True)
    if failures:
        raise typer.Exit(2)


def print_notes(notes: Iterable[str]) -> None:
    """Print what a user should know and nobody needs to act on, on standard error."""
    for note in notes:
        error_console.print("note:", style="yellow", end=" ")
        error_console.print(note, highlight=False, soft_wrap=True)
