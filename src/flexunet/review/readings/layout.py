"""Laying images on the desk: they become rows, those that are there already keep theirs.

Where readers are measured, names say nothing: a hidden repeat of an image and an image whose mask is known
look like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from flexunet.review.sources.entry import Entry
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item

_DRAWN = 7  # bytes of a hash that stand for a random number


@dataclass(frozen=True)
class Measuring:
    """How readers are measured.

    Attributes:
        seed: What is random is drawn by.
        repeats: Share of the images that are shown a second time.
        nameless: Whether names are hidden.
    """

    seed: str
    repeats: float = 0.0
    nameless: bool = False

    def draw(self, what: str, key: str) -> int:
        """A number that is random, and the same every time, from 0 to 2^56."""
        return int.from_bytes(hashlib.sha256(f"{self.seed} {what} {key}".encode()).digest()[:_DRAWN], "big")


def lay_out(database: Database, entries: Sequence[Entry], measuring: Measuring) -> None:
    """Bring the rows of a desk up to its source; rows of files that have gone are kept, and not shown.

    Args:
        database: The database.
        entries: The images of the source.
        measuring: How readers are measured.
    """
    rows = {entry.key: _row(entry, measuring) for entry in entries}
    with database.write() as session:
        known = {row["key"]: row for row in session.execute(select(Item.__table__)).mappings()}
        gone = [
            {"id": row["id"], "present": False}
            for key, row in known.items()
            if key not in rows and row["present"]
        ]
        kept = [
            {"id": known[key]["id"], **row}
            for key, row in rows.items()
            if key in known and any(known[key][column] != value for column, value in row.items())
        ]
        new = [row for key, row in rows.items() if key not in known]
        for changes in (gone, kept):
            if changes:
                session.execute(update(Item), changes)
        if new:
            session.execute(insert(Item), new)
        if measuring.repeats:
            _lay_repeats(session, entries, measuring, rows)


def _lay_repeats(
    session: Any, entries: Sequence[Entry], measuring: Measuring, rows: dict[str, dict[str, Any]]
) -> None:
    known = {key: number for number, key in session.execute(select(Item.id, Item.key))}
    limit = measuring.repeats * (1 << 8 * _DRAWN)
    for entry in entries:
        if entry.truth or measuring.draw("repeat", entry.key) >= limit:
            continue
        key = f"repeat/{entry.key}"
        shuffle = measuring.draw("order", key)
        row = {
            **rows[entry.key],
            "key": key,
            "name": _nameless(shuffle),
            "repeats": known[entry.key],
            "shuffle": shuffle,
            # Somewhere among the others, not beside the image itself.
            "need": entry.need * shuffle / (1 << 8 * _DRAWN),
        }
        if key in known:
            session.execute(update(Item).where(Item.id == known[key]).values(**row))
        else:
            session.execute(insert(Item).values(**row))


def _nameless(shuffle: int) -> str:
    return f"image {shuffle:014x}"[:14]


def _row(entry: Entry, measuring: Measuring) -> dict[str, Any]:
    shuffle = measuring.draw("order", entry.key)
    row: dict[str, Any] = {
        "key": entry.key,
        "name": _nameless(shuffle) if measuring.nameless else entry.key,
        "image": str(entry.image.absolute()),
        "mask": str(entry.mask.absolute()) if entry.mask else "",
        "truth": str(entry.truth.absolute()) if entry.truth else "",
        "present": True,
        "patient": entry.patient,
        "side": entry.side[:8],
        "view": entry.view[:16],
        "exam": entry.exam,
        "split": entry.split,
        "confidence": entry.confidence,
        "entropy": entry.entropy,
        "audit": entry.audit,
        "need": entry.need,
        "shuffle": shuffle,
        "reasons": list(entry.reasons),
    }
    return row
