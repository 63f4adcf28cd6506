"""Laying a source on the desk: its images become rows, those that are there already keep theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import insert, select, update

from flexunet.data.images.files import image_stem
from flexunet.review.sources.entry import Entry
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item


def lay_out(database: Database, entries: Sequence[Entry], seed: str) -> None:
    """Bring the rows of a desk up to its source; rows of files that have gone are kept, and not shown.

    Args:
        database: The database.
        entries: The images of the source.
        seed: What the random order is drawn by.
    """
    rows = {entry.key: _row(entry, seed) for entry in entries}
    with database.write() as session:
        known = {key: number for number, key in session.execute(select(Item.id, Item.key))}
        gone = [{"id": number, "present": False} for key, number in known.items() if key not in rows]
        kept = [{"id": known[key], **row} for key, row in rows.items() if key in known]
        new = [row for key, row in rows.items() if key not in known]
        for changes in (gone, kept):
            if changes:
                session.execute(update(Item), changes)
        if new:
            session.execute(insert(Item), new)


def _row(entry: Entry, seed: str) -> dict[str, object]:
    shuffle = hashlib.sha256(f"{seed} {entry.key}".encode()).digest()[:7]
    return {
        "key": entry.key,
        "name": image_stem(entry.image),
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
        "disagreement": entry.disagreement,
        "audit": entry.audit,
        "need": entry.need,
        "shuffle": int.from_bytes(shuffle, "big"),
        "reasons": list(entry.reasons),
    }
