"""A desk: a source, its database and files, and what readers may ask of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from flexunet.data.configured import color_map, mask_reader
from flexunet.data.dataset.identity import Identities
from flexunet.data.dicom.read import read_facts
from flexunet.data.images.files import IMAGE_SUFFIXES
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks import ColorMap, MaskReader
from flexunet.errors import ConfigError, InputError
from flexunet.files import sweep
from flexunet.inference.outputs.write import foreground_names
from flexunet.review.pictures.pyramid import Pyramids
from flexunet.review.readings.decisions import Decisions
from flexunet.review.readings.filing import MaskFiles
from flexunet.review.readings.images import Images
from flexunet.review.readings.laying import lay_out
from flexunet.review.readings.masks import Masks, Where
from flexunet.review.readings.problems import ForbiddenError, MissingError
from flexunet.review.readings.queue import Queue
from flexunet.review.sources.folders import folder_source
from flexunet.review.store.database import Database, sqlite_url
from flexunet.review.store.tables import Decision, Fact, Item
from flexunet.review.tools.model import RunModel

if TYPE_CHECKING:
    from flexunet.config.schema import Config

DATABASE = "desk.sqlite"
_LESION = "#ff3b6b"


@dataclass(frozen=True)
class DeskSettings:
    """How a desk is opened.

    Attributes:
        path: What is laid on it.
        folder: Where it keeps its database, mask files and tiles; beside `path` when left out.
        database: URL of the database; a file in the folder when left out.
        blind: Whether readers draw before they see the draft, each without the others.
        masks: How masks are read; as the run reads them, else guessed from them when left out.
        run: Configuration of a trained run, which predicts on request.
    """

    path: Path
    folder: Path | None = None
    database: str | None = None
    blind: bool = False
    masks: MaskReader | None = None
    run: Config | None = None

    @property
    def own_folder(self) -> Path:
        """Where the desk keeps its files."""
        path = self.path.absolute()
        return self.folder or path.with_name(f"{path.name}_review")


class Desk:
    """An open desk.

    Args:
        settings: How.

    Raises:
        PathError: if the source is missing or has no images, or the desk's folder cannot be written.
        ConfigError: if the database's URL is none.
    """

    def __init__(self, settings: DeskSettings):
        self.settings = settings
        self.folder = settings.own_folder
        self.source = folder_source(settings.path)
        entries, self.notes = self.source.entries()
        sweep(self.folder, below=True)
        self.database = Database(settings.database or sqlite_url(self.folder / DATABASE))
        lay_out(self.database, entries, self._fact("seed", secrets.token_hex(8)))
        reader, note = settings.masks, ""
        self.model = RunModel(settings.run) if settings.run else None
        if reader is None and settings.run:
            reader = mask_reader(settings.run)
        if reader is None:
            reader, note = guess_reader([entry.mask for entry in entries if entry.mask])
        self.notes += [note] if note else []
        self.reader = reader
        self.colors = reader.color_map
        if settings.run and color_map(settings.run).num_classes != self.colors.num_classes:
            raise ConfigError(
                f"the run knows {color_map(settings.run).num_classes} classes, the masks have "
                f"{self.colors.num_classes}: give --run a run of the same classes."
            )
        self.images = Images(self.database, Pyramids(self.folder / "tiles"))
        self.masks = Masks(self.database, self.colors.num_classes, self._file)
        self.decisions = Decisions(self.database, self.masks)
        self.queue = Queue(self.database)
        self.files = MaskFiles(
            self.folder / "masks",
            self.database,
            self.colors,
            lambda number, track: self.masks.newest(self.where(self.images.item(number), track)),
        )
        self.files.recover()

    def close(self) -> None:
        """Write what waits, and end."""
        self.files.close()
        self.database.close()

    @property
    def classes(self) -> list[dict[str, object]]:
        """Index, name and colour of each class, background first."""
        names = ["background", *foreground_names(self.colors.num_classes)]
        colours = ["#{:02x}{:02x}{:02x}".format(*color) for color in self.colors.palette.tolist()]
        if self.colors == ColorMap.binary():
            colours[1] = _LESION  # white marks nothing on an X-ray
        return [
            {"index": index, "name": name, "colour": colour}
            for index, (name, colour) in enumerate(zip(names, colours, strict=True))
        ]

    def spacing_of(self, item: Item) -> tuple[float, float] | None:
        """Height and width of a pixel in mm; None where neither manifest nor DICOM header tells."""
        path = Path(item.image)
        try:
            told = Identities.of_folder(path.parent).of(path).spacing
            if told is None and path.suffix.lower() not in IMAGE_SUFFIXES:
                told = read_facts(path).spacing_mm
        except InputError:
            return None
        return told

    def track_of(self, reader: str) -> str:
        """The track in which a reader draws: the shared one, or in blind mode the reader's own."""
        return reader if self.settings.blind else ""

    def where(self, item: Item, track: str) -> Where:
        """The mask of an item in a track; it begins with the draft, in blind mode with nothing."""
        begin: Callable[[], np.ndarray] = partial(self._nothing if track else self._draft, item)
        return Where(item.id, track, begin)

    def hides_draft(self, item: Item, reader: str) -> bool:
        """Whether a reader may not see the draft yet: in blind mode, before the reader's own decision."""
        return self.settings.blind and self.decisions.last(item.id, reader=reader) is None

    def draft(self, item: Item, reader: str) -> np.ndarray:
        """The mask that came with an image, uint8 `(H, W)`.

        Raises:
            ForbiddenError: while blind mode hides it.
            MissingError: if the image has none.
        """
        if self.hides_draft(item, reader):
            raise ForbiddenError("the draft is shown after your own decision (blind mode).")
        if not item.mask:
            raise MissingError(f"{item.key} came without a mask.")
        return self._draft(item)

    def last_decision(self, item: Item, reader: str) -> Decision | None:
        """The last decision in the track of a reader."""
        return self.decisions.last(item.id, track=self.track_of(reader))

    def _draft(self, item: Item) -> np.ndarray:
        if not item.mask:
            return self._nothing(item)
        picture = self.images.picture(self.images.checked(item.id))
        return self.reader.read_like(item.mask, (picture.height, picture.width), item.image)

    def _nothing(self, item: Item) -> np.ndarray:
        picture = self.images.picture(self.images.checked(item.id))
        return np.zeros((picture.height, picture.width), np.uint8)

    def _file(self, item: int, track: str) -> None:
        self.files.tell(item, track)

    def _fact(self, name: str, value: str) -> str:
        """A fact of the desk, written down when it is asked for first."""
        with self.database.write() as session:
            known = session.scalars(select(Fact.value).where(Fact.name == name)).one_or_none()
            if known is None:
                session.add(Fact(name=name, value=value))
        return value if known is None else known
