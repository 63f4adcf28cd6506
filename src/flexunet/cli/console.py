"""Where the commands print: figures on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.segment import Segment
from rich.table import Table

from flexunet.cli.tables import fit_table
from flexunet.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

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


def progress_bars() -> Bars:
    """Progress bars with counts, rate and time left, on standard error."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars
    from rich.table import Column

    # Where the window is narrow the note gives way, and then the bar; times and counts stay whole.
    whole = partial(Column, no_wrap=True, min_width=5)
    return Bars(
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


@contextmanager
def progress(logged: str | None = None) -> Iterator[Progress]:
    """Show progress in bars, one per stage.

    Args:
        logged: Stage whose finished units are also printed as lines where standard error is no terminal:
            bars vanish in a log file.
    """
    with progress_bars() as bars:
        yield in_bars(bars, logged)


def in_bars(bars: Bars, logged: str | None = None) -> Progress:
    """The progress that is shown in these bars."""
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: float, total: float, note: str | None = None) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total, note=note or "")
        elif done == 0:
            # A stage that starts over has a clock of its own.
            bars.reset(tasks[stage], total=total)
        bars.update(tasks[stage], completed=done, total=total)
        if note is not None:
            bars.update(tasks[stage], note=note)
        if stage == logged and note and done == int(done) and not bars.console.is_terminal:
            bars.console.print(f"{stage.removesuffix('s')} {done:.0f}/{total:.0f}: {note}")

    return show


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
