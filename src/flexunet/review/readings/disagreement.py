"""How far the masks of two models disagree, measured while readers are at work already."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from sqlalchemy import select, update

from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import FlexUNetError
from flexunet.review.readings.comparing import dice_of
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item

log = logging.getLogger("flexunet.review")
_TOGETHER = 50  # images whose numbers are written in one transaction


class Disagreements:
    """Measures, image by image, in a thread of its own.

    Args:
        database: Where the numbers are kept.
        reader: How masks are read.
        second: The mask of another model, by key of the image.
    """

    def __init__(self, database: Database, reader: MaskReader, second: Mapping[str, Path]):
        self.database = database
        self.reader = reader
        self.second = second
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="disagreements", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until all are measured."""
        self._thread.join()

    def stop(self) -> None:
        """End before all are measured."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        with self.database.read() as session:
            rows = session.execute(
                select(Item.id, Item.key, Item.mask, Item.need).where(Item.present, Item.mask != "")
            ).all()
        measured: list[dict[str, object]] = []
        for number, key, mask, need in rows:
            if self._stopping.is_set() or key not in self.second:
                continue
            value = measure(self.reader.read, Path(mask), self.second[key])
            if value is not None:
                measured.append({"id": number, "disagreement": value, "need": max(need, value)})
            if len(measured) == _TOGETHER:
                self._write(measured)
        self._write(measured)

    def _write(self, measured: list[dict[str, object]]) -> None:
        if measured:
            with self.database.write() as session:
                session.execute(update(Item), measured)
            measured.clear()


def measure(read: Callable[[Path], np.ndarray], first: Path, second: Path) -> float | None:
    """1 less the Dice coefficient of two mask files; None if one cannot be read, or they differ in size."""
    try:
        masks = read(first), read(second)
    except FlexUNetError as error:
        log.warning("two drafts cannot be compared: %s", error)
        return None
    return None if masks[0].shape != masks[1].shape else 1 - dice_of(*masks)
