"""How far a piece of work is along: one protocol for everything that takes long.

def show(stage, done, total, note=None):
print(f"{stage}: {done} of {total}")

audit_dataset("dataset", progress=show)
"""

from __future__ import annotations

from typing import Protocol


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
