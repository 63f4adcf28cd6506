"""Where the commands print: figures on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

console = Console()
error_console = Console(stderr=True)


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

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=error_console,
    )
