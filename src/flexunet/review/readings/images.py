"""The images of a desk: their files, and the proof that they are still the same files."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, update

from flexunet.data.dataset.manifest import sha256_of
from flexunet.errors import PathError
from flexunet.files import cannot_read
from flexunet.review.pictures.pyramid import Picture, Pyramids
from flexunet.review.readings.errors import ChangedImageError, MissingError
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item


class Images:
    """Images by the number of their item.

    Args:
        database: Where their hashes are kept.
        pyramids: Where their tiles are kept.
    """

    def __init__(self, database: Database, pyramids: Pyramids):
        self.database = database
        self.pyramids = pyramids

    def item(self, number: int) -> Item:
        """The row of an item.

        Raises:
            MissingError: if there is none.
        """
        with self.database.read() as session:
            item = session.get(Item, number)
        if item is None or not item.present:
            raise MissingError(f"there is no image {number} on this desk.")
        return item

    def checked(self, number: int) -> Item:
        """The row of an item whose file is the one that the review began with.

        The file is read again where its size or its time of change says that it may be another.

        Raises:
            MissingError: if there is no such item.
            ChangedImageError: if the file has another content.
            PathError: if it cannot be read.
        """
        item = self.item(number)
        path = Path(item.image)
        try:
            status = path.stat()
        except OSError as error:
            raise PathError(cannot_read(path, error)) from error
        if item.image_sha256 and (item.image_bytes, item.image_changed_ns) == (
            status.st_size,
            status.st_mtime_ns,
        ):
            return item
        digest = sha256_of(path)
        if item.image_sha256 and digest != item.image_sha256:
            raise ChangedImageError(
                f"{item.key} has changed since its review began: its SHA-256 was {item.image_sha256[:12]}... "
                f"and is {digest[:12]}... now. Bring the earlier file back; nothing was saved."
            )
        with self.database.write() as session:
            session.execute(
                update(Item)
                .where(Item.id == number)
                .values(image_sha256=digest, image_bytes=status.st_size, image_changed_ns=status.st_mtime_ns)
            )
        return self.item(number)

    def seen_with(self, item: Item) -> list[Item]:
        """The images of the person that an item shows, by key; a hidden repeat stands for its image."""
        query = select(Item).where(Item.patient == item.patient, Item.present).order_by(Item.key)
        with self.database.read() as session:
            same = list(session.scalars(query))
        return [
            each for each in same if each.id == item.id or (each.repeats is None and each.id != item.repeats)
        ]

    def picture(self, item: Item) -> Picture:
        """The image at several sizes.

        Args:
            item: As `checked` gives it.

        Raises:
            ImageError: if it cannot be read.
        """
        return self.pyramids.open(Path(item.image), item.image_sha256)
