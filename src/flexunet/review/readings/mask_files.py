"""The mask files beside the data set: each newest version, written by one thread after it was acknowledged.

The database alone tells what a mask is. A file that a killed desk did not write is written when the desk
opens again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select, update

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import FlexUNetError
from flexunet.review.readings.masks import Mask
from flexunet.review.readings.tracks import folder_of_track
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item, Reading

log = logging.getLogger("flexunet.review")


class MaskFiles:
    """Writes masks to files.

    Args:
        folder: Where they lie: `folder/shared/KEY.png`.
        database: Where it is noted which version a file has.
        colors: Colours of the classes.
        newest: Gives the newest mask of an item in a track.
    """

    def __init__(
        self, folder: Path, database: Database, colors: ColorMap, newest: Callable[[int, str], Mask]
    ):
        self.folder = folder
        self.database = database
        self.colors = colors
        self._newest = newest
        self._waiting: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._known: set[tuple[int, str]] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="mask-files", daemon=True)
        self._thread.start()

    def path(self, key: str, track: str = "") -> Path:
        """The file of a mask, by the key of its image."""
        name = key if key.lower().endswith(".png") else f"{key}.png"
        return self.folder / folder_of_track(track) / name

    def tell(self, item: int, track: str) -> None:
        """Have the file of a mask written; several tellings before it is are one."""
        with self._lock:
            if (item, track) in self._known:
                return
            self._known.add((item, track))
        self._waiting.put((item, track))

    def write_now(self, item: int, track: str) -> None:
        """Write the file of a mask before this returns."""
        self._write(item, track)

    def recover(self) -> int:
        """Have those written that a killed desk left behind; how many they are."""
        with self.database.read() as session:
            behind = session.execute(
                select(Reading.item_id, Reading.track).where(
                    Reading.filed < Reading.version, Reading.version > 0
                )
            ).all()
        for item, track in behind:
            self.tell(item, track)
        return len(behind)

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (told := self._waiting.get()) is not None:
            with self._lock:
                self._known.discard(told)
            try:
                self._write(*told)
            except (FlexUNetError, OSError):
                log.exception("the file of a mask could not be written; the database has the mask")

    def _write(self, item: int, track: str) -> None:
        with self.database.read() as session:
            key = session.scalars(select(Item.key).where(Item.id == item)).one()
        mask = self._newest(item, track)
        write_mask(self.path(key, track), mask.labels, self.colors)
        with self.database.write() as session:
            session.execute(
                update(Reading)
                .where(Reading.item_id == item, Reading.track == track, Reading.filed < mask.version)
                .values(filed=mask.version)
            )
