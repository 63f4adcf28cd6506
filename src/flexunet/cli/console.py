"""Where the commands print: figures on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.segment import Segment
from rich.table import Table

from flexunet.cli.tables import fit_table
from flexunet.errors import printable
from flexunet.progress import show_progress

if TYPE_CHECKING:
    from flexunet.progress import Progress


class PlainConsole(Console):
    """A console whose texts cannot steer the terminal.

    File names, headers and configurations come from elsewhere and may hold escape sequences. All that is
    printed passes here, tables and bars too; what has no letters is shown as an escape.
    """

    def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
        """The parts of what is printed, their texts made printable; tables fit the window."""
        if type(renderable) is Table:
            fit_table(renderable, (options or self.options).max_width)
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable() and segment.text != "\n":
                segment = Segment(printable(segment.text), segment.style)
            yield segment


# No markup: what is printed names sections and folders, and brackets belong to them.
console = PlainConsole(markup=False)
error_console = PlainConsole(stderr=True, markup=False)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, and nothing else."""
    print(json.dumps(document, indent=2, default=str))  # noqa: T201


def progress(logged: str | None = None) -> AbstractContextManager[Progress]:
    """Show progress in bars on standard error, one per stage; `logged` as in `show_progress`."""
    return show_progress(error_console, logged=logged)


def say(text: str) -> None:
    """Print a line on standard error, above the bars where there are some."""
    error_console.print(text, highlight=False, soft_wrap=True)


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


def print_missing(missing: Mapping[str, Sequence[str]], most: int = 20) -> None:
    """Print what a download lacks on standard error: how many of each kind, and their names."""
    for kind, names in missing.items():
        say(
            f"missing: {len(names)} {kind}: {', '.join(names[:most])}"
            + (
                f" and {len(names) - most} more; `flexunet datasets --json` lists all"
                if len(names) > most
                else ""
            )
        )


def gathered(notes: Sequence[str], most: int = 20) -> list[str]:
    """Notes on many files: the first ones, and how many more there are."""
    rest = len(notes) - most
    return [*notes[:most], *([f"{rest} more such notes; --json lists all"] if rest > 0 else [])]


def print_notes(notes: Iterable[str]) -> None:
    """Print what a user should know and nobody needs to act on, on standard error."""
    for note in notes:
        error_console.print("note:", style="yellow", end=" ")
        error_console.print(note, highlight=False, soft_wrap=True)
