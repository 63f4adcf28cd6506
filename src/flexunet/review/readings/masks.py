"""Masks with all their versions: a change is on the disk before its reader is told so, and none is ever lost.

A reading is the mask of an image in a track: the one that all readers share (""), that of one reader in
blind mode, or the consensus. Version 0 is the mask that it began with; every later version is the box of
labels that a change left behind. The whole mask is kept with every 32nd version, so that any version is made
of few boxes.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flexunet.review.readings.errors import MissingError, StaleError
from flexunet.review.readings.runs import Box, changed_box
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Reading, Snapshot, Version, now

SNAPSHOT_EVERY = 32
_REMEMBERED = 24  # masks in memory: 14 MB each at 4096 x 3328


@dataclass(frozen=True)
class Mask:
    """A mask at a version.

    Attributes:
        version: Number of the version.
        sha256: SHA-256 of the labels, row by row, a byte a pixel.
        labels: uint8 `(H, W)`; not to be changed.
    """

    version: int
    sha256: str
    labels: np.ndarray

    @classmethod
    def of(cls, version: int, labels: np.ndarray) -> Mask:
        """A mask with the hash of its labels."""
        labels = np.ascontiguousarray(labels)
        labels.setflags(write=False)
        return cls(version, hashlib.sha256(labels.data).hexdigest(), labels)


@dataclass(frozen=True)
class Where:
    """Which mask: an item, a track, and how it begins.

    Attributes:
        item: Number of the item.
        track: "" for all readers together, else whose.
        begin: The labels that version 0 has, asked for where nobody changed the mask yet.
    """

    item: int
    track: str
    begin: Callable[[], np.ndarray]


class Masks:
    """The masks of a desk.

    Args:
        database: Where they are kept.
        changed: Told the item and track of each mask that has changed.
    """

    def __init__(self, database: Database, changed: Callable[[int, str], None]):
        self.database = database
        self._changed = changed
        self._recent: OrderedDict[tuple[int, str], Mask] = OrderedDict()
        self._lock = threading.Lock()

    def newest(self, where: Where) -> Mask:
        """The mask as it is now."""
        with self.database.read() as session:
            reading = _reading(session, where)
            if reading is None:
                return Mask.of(0, where.begin())
            recent = self._recent.get((where.item, where.track))
            if recent is not None and (recent.version, recent.sha256) == (reading.version, reading.sha256):
                return recent
            labels = _labels_at(session, reading.id, reading.version)
        mask = Mask.of(reading.version, labels)
        self._remember(where, mask)
        return mask

    def at(self, where: Where, version: int) -> Mask:
        """The mask at a version.

        Raises:
            MissingError: if there is no such version.
        """
        with self.database.read() as session:
            reading = _reading(session, where)
            if reading is None and version == 0:
                return Mask.of(0, where.begin())
            if reading is None or not 0 <= version <= reading.version:
                raise MissingError(f"the mask has no version {version}.")
            return Mask.of(version, _labels_at(session, reading.id, version))

    def versions(self, where: Where) -> list[dict[str, Any]]:
        """All versions, the newest first; none where nobody changed the mask."""
        with self.database.read() as session:
            reading = _reading(session, where)
            if reading is None:
                return []
            columns = (Version.number, Version.reader, Version.at, Version.tool, Version.sha256)
            rows = session.execute(
                select(*columns).where(Version.reading_id == reading.id).order_by(Version.number.desc())
            ).all()
        names = ("version", "reader", "at", "tool", "sha256")
        return [
            dict(zip(names, row, strict=True)) | {"current": row.number == reading.version} for row in rows
        ]

    def change(self, where: Where, base: int, box: Box, labels: np.ndarray, reader: str, tool: str) -> Mask:
        """Put labels into a box of a mask.

        Args:
            where: The mask.
            base: The version that the reader saw.
            box: Where.
            labels: uint8 `(height, width)` of the box.
            reader: Who.
            tool: With what.

        Returns:
            The new mask; it is on the disk.

        Raises:
            StaleError: if the mask is not at that version any more.
            ShapeError: if the box is not inside the image.
        """
        before = self.newest(where)
        if before.version != base:
            raise self.stale(where)
        box.check(before.labels.shape)
        after = before.labels.copy()
        after[box.slices] = labels
        return self._write(where, before, Mask.of(base + 1, after), box, reader, tool)

    def replace(self, where: Where, base: int, labels: np.ndarray, reader: str, tool: str) -> Mask:
        """Make a mask another one, by the box in which both differ; see `change`."""
        before = self.newest(where)
        if before.version != base:
            raise self.stale(where)
        box = changed_box(before.labels, labels) or Box(0, 0, 1, 1)
        return self._write(where, before, Mask.of(base + 1, labels), box, reader, tool)

    def begin(self, session: Session, where: Where, reader: str) -> Reading:
        """The row of a reading, made with version 0 where there is none."""
        reading = _reading(session, where)
        if reading is not None:
            return reading
        mask = Mask.of(0, where.begin())
        at = now()
        reading = Reading(
            item_id=where.item, track=where.track, version=0, sha256=mask.sha256, reader=reader, at=at
        )
        session.add(reading)
        session.flush()
        session.add(_row(reading.id, mask, Box(0, 0, 1, 1), "", at, "begin"))
        session.add(_snapshot(reading.id, mask))
        return reading

    def _write(self, where: Where, before: Mask, after: Mask, box: Box, reader: str, tool: str) -> Mask:
        row = _row(0, after, box, reader, now(), tool)
        snapshot = _snapshot(0, after) if after.version % SNAPSHOT_EVERY == 0 else None
        try:
            with self.database.write() as session:
                reading = self.begin(session, where, reader)
                moved = session.execute(
                    update(Reading)
                    .where(Reading.id == reading.id, Reading.version == before.version)
                    .values(version=after.version, sha256=after.sha256, reader=reader, at=row.at)
                )
                if moved.rowcount != 1:  # type: ignore[attr-defined]
                    raise self.stale(where)
                row.reading_id = reading.id
                session.add(row)
                if snapshot is not None:
                    snapshot.reading_id = reading.id
                    session.add(snapshot)
        except IntegrityError as error:  # another one began the reading at this very moment
            raise self.stale(where) from error
        self._remember(where, after)
        self._changed(where.item, where.track)
        return after

    def stale(self, where: Where) -> StaleError:
        """The error for a reader who saw another version than the newest."""
        with self.database.read() as session:
            reading = _reading(session, where)
        return StaleError(reading.version, reading.reader, reading.at) if reading else StaleError(0, "", "")

    def _remember(self, where: Where, mask: Mask) -> None:
        with self._lock:
            self._recent[where.item, where.track] = mask
            self._recent.move_to_end((where.item, where.track))
            while len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)


def _reading(session: Session, where: Where) -> Reading | None:
    return session.scalars(
        select(Reading).where(Reading.item_id == where.item, Reading.track == where.track)
    ).one_or_none()


def _labels_at(session: Session, reading: int, version: int) -> np.ndarray:
    """The labels of a version: the last snapshot before it, and the boxes since."""
    snapshot = session.scalars(
        select(Snapshot)
        .where(Snapshot.reading_id == reading, Snapshot.number <= version)
        .order_by(Snapshot.number.desc())
        .limit(1)
    ).one()
    labels = np.frombuffer(zlib.decompress(snapshot.labels), np.uint8)
    labels = labels.reshape(snapshot.height, snapshot.width).copy()
    changes = session.scalars(
        select(Version)
        .where(Version.reading_id == reading, Version.number > snapshot.number, Version.number <= version)
        .order_by(Version.number)
    )
    for change in changes:
        box = Box(change.x, change.y, change.width, change.height)
        patch = np.frombuffer(zlib.decompress(change.labels), np.uint8)
        labels[box.slices] = patch.reshape(box.height, box.width)
    return labels


def _row(reading: int, mask: Mask, box: Box, reader: str, at: str, tool: str) -> Version:
    return Version(
        reading_id=reading,
        number=mask.version,
        reader=reader,
        at=at,
        tool=tool,
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        labels=zlib.compress(mask.labels[box.slices].tobytes(), 1),
        sha256=mask.sha256,
    )


def _snapshot(reading: int, mask: Mask) -> Snapshot:
    height, width = mask.labels.shape
    packed = zlib.compress(mask.labels.tobytes(), 1)
    return Snapshot(reading_id=reading, number=mask.version, width=width, height=height, labels=packed)
