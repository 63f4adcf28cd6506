"""The flow of films: what came in, what was left out and why, and where the rest went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flexunet.errors import counted
from flexunet.reporting.facts import SPLITS, RunFacts

_NAMES = {"train": "Training", "valid": "Validation", "test": "Testing"}
_MOST_REASONS = 5


@dataclass(frozen=True)
class Flow:
    """Numbers of the flow, as lines of its boxes.

    Attributes:
        entered: Films that came in; None where what was left out is not known.
        left_out: How many were left out and why; empty where none or not known.
        used: Images of all splits.
        splits: A box for each split.
    """

    entered: list[str] | None
    left_out: list[str]
    used: list[str]
    splits: list[list[str]]


def flow_of(facts: RunFacts) -> Flow:
    """The flow as far as the files tell it."""
    splits = [
        [
            _NAMES[split],
            counted(one.images, "image"),
            counted(one.patients, "patient" if one.patients_known else "source")
            if one.patients is not None
            else "patients not known",
        ]
        for split in SPLITS
        if (one := facts.splits[split]).images
    ]
    total = sum(one.images or 0 for one in facts.splits.values())
    people = frozenset().union(*(one.people for one in facts.splits.values()))
    originals = frozenset().union(*(one.sources for one in facts.splits.values()))
    used = ["Images with masks", counted(total, "image")]
    if facts.all_at_hand and len(originals) < total:
        used[1] += f" of {counted(len(originals), 'film')}"
    if facts.all_at_hand:
        used.append(counted(len(people), "patient" if facts.patients_known else "source"))
    if facts.excluded is None:
        return Flow(None, [], used, splits)
    left = len(facts.excluded)
    reasons = Counter(_short(reason or state) for _, state, reason in facts.excluded).most_common()
    lines = [f"{reason}: {number}" for reason, number in reasons[:_MOST_REASONS]]
    if rest := sum(number for _, number in reasons[_MOST_REASONS:]):
        lines.append(f"other reasons: {rest}")
    return Flow(
        ["Films read", counted((len(originals) if facts.all_at_hand else total) + left, "film")],
        [f"Left out: {left}", *lines] if left else ["Left out: 0"],
        used,
        splits,
    )


def _short(reason: str) -> str:
    """The first words of a reason, so that it fits into a box."""
    return reason if len(reason) <= 44 else reason[:41].rsplit(" ", 1)[0] + " ..."
