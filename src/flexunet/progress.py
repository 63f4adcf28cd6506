"""How far a piece of work is along: one protocol for everything that takes long.

def show(stage, done, total, note=None):
print(f"{stage}: {done} of {total}")

audit_dataset("dataset", progress=show)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from flexunet.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress(Protocol):
    """Called whenever a piece of work has moved on."""

    def __call__(self, stage: str, done: float, total: float, note: str | None = None) -> None:
        """Take note of it.

        Args:
            stage: What is being done, in one or two words. A stage that starts over comes with `done` 0.
            done: Units finished; may be a fraction of one.
            total: Units in all.
            note: A word on the last unit; the note before stays if there is none.
        """


def unsaid(text: str) -> None:
    """Say nothing."""


def silent(stage: str, done: float, total: float, note: str | None = None) -> None:
    """Show no progress."""


@contextmanager
def show_progress(console: Console | None = None, *, logged: str | None = "epochs") -> Iterator[Progress]:
    """Show in bars how far a piece of work is along, with counts, rate and time left.

    Args:
        console: Where; standard error, or the output of the cell of a notebook, if not given.
        logged: Stage whose finished units are also printed as lines in a log file, where bars vanish.

    Examples:
        >>> with flexunet.show_progress() as progress:
        ...     result = flexunet.train("mammogram.toml", progress=progress)
    """
    if console is None:
        from rich.console import Console

        console = Console(stderr=True, markup=False)
    with progress_bars(console) as bars:
        yield in_bars(bars, logged)


def progress_bars(console: Console) -> Bars:
    """Bars with counts, rate and time left, none of them filled yet."""
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
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(min_width=6, max_width=40, ratio=1)),
        MofNCompleteColumn(table_column=whole()),
        TimeElapsedColumn(table_column=whole(min_width=7)),
        TextColumn("left"),
        TimeRemainingColumn(compact=True, table_column=whole()),
        TextColumn(
            "{task.fields[note]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
        ),
        console=console,
        # Rich forgets what is older than 30 seconds; an epoch takes longer, and would never have a time left.
        speed_estimate_period=3600,
    )


def in_bars(bars: Bars, logged: str | None = None) -> Progress:
    """The progress that is shown in these bars; file names in it cannot steer the terminal."""
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: float, total: float, note: str | None = None) -> None:
        note = None if note is None else printable(note)
        if stage not in tasks:
            tasks[stage] = bars.add_task(printable(stage), total=total, note=note or "")
        elif done == 0:
            # A stage that starts over has a clock of its own.
            bars.reset(tasks[stage], total=total)
        bars.update(tasks[stage], completed=done, total=total)
        if note is not None:
            bars.update(tasks[stage], note=note)
        in_log = not (bars.console.is_terminal or bars.console.is_jupyter)
        if in_log and stage == logged and note and done == int(done):
            bars.console.print(f"{stage.removesuffix('s')} {done:.0f}/{total:.0f}: {note}")

    return show
