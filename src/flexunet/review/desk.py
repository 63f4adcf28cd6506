"""A desk: a source, its database and files, and what readers may ask of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy import select

from flexunet.data.configured import color_map, mask_reader
from flexunet.data.dataset.identity import Identities
from flexunet.data.dicom.read import read_facts
from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.reader import MaskReader, sample_of
from flexunet.errors import ConfigError, InputError
from flexunet.files import sweep
from flexunet.review.pictures.pyramid import Pyramids
from flexunet.review.readings.agreement import Agreement
from flexunet.review.readings.comparing import majority
from flexunet.review.readings.decisions import Decisions
from flexunet.review.readings.disagreement import Disagreements
from flexunet.review.readings.errors import ForbiddenError, MissingError
from flexunet.review.readings.images import Images
from flexunet.review.readings.layout import Measuring, lay_out
from flexunet.review.readings.mask_files import MaskFiles
from flexunet.review.readings.masks import Mask, Masks, Where
from flexunet.review.readings.queue import Queue, Wish
from flexunet.review.readings.tracks import CONSENSUS, SHARED, own_track
from flexunet.review.results.catalogue import make_catalogue
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Laid, open_source
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Decision, Event, Fact, Item, now
from flexunet.review.tools.model import RunModel

_LESION = "#ff3b6b"
_IGNORED_NAME = "ignored"
_LEAST_READINGS = 2  # of a consensus


class Desk:
    """An open desk.

    Args:
        settings: How.

    Raises:
        PathError: if the source is missing or has no images, or the desk's folder cannot be written.
        ConfigError: if the database's URL is none, or there are 256 classes, or the run has other classes
            than the masks.
    """

    def __init__(self, settings: DeskSettings):
        self.settings = settings
        self.folder = settings.own_folder
        laid = open_source(settings.given)
        self.kind, self.notes = laid.kind, laid.notes
        run = settings.run.run_dir if settings.run else None
        # Blind readers would find the drafts there.
        data = None if settings.blind else settings.given.path
        self.catalogue = make_catalogue({"results": settings.results, "run": run, "data": data})
        sweep(self.folder, below=True)
        self.database = Database(settings.database_url)
        seed = self._fact("seed", secrets.token_hex(8))
        measuring = Measuring(seed, settings.repeats, settings.measures_readers)
        lay_out(self.database, laid.entries, measuring)
        self.model = RunModel(settings.run) if settings.run else None
        self.reader = self._mask_reader(laid)
        self.colors = self.reader.color_map
        self.images = Images(self.database, Pyramids(self.folder / "tiles"))
        self.masks = Masks(self.database, self._file)
        self.decisions = Decisions(self.database, self.masks)
        self.queue = Queue(self.database)
        self.agreement = Agreement(
            self.database,
            self.colors.num_classes,
            self.decided_labels,
            lambda item: self._read(item, item.truth),
        )
        self.files = MaskFiles(self.folder / "masks", self.database, self.colors, self._newest)
        self.files.recover()
        self.disagreements = Disagreements(self.database, self.reader, laid.second)
        if laid.second:
            self.disagreements.start()

    def close(self) -> None:
        """Write what waits, and end."""
        self.disagreements.stop()
        self.files.close()
        self.database.close()

    @property
    def class_names(self) -> list[str]:
        """Names of classes 1 and up."""
        return self.colors.foreground_names

    @property
    def classes(self) -> list[dict[str, object]]:
        """Index, name and colour of each class, background first, ignored pixels last if there may be any."""
        names = dict(enumerate(["background", *self.class_names]))
        if self.colors.ignore:
            names[IGNORED] = _IGNORED_NAME
        palette = self.colors.file_palette.tolist()
        colours = {index: "#{:02x}{:02x}{:02x}".format(*palette[index]) for index in names}
        if np.array_equal(self.colors.palette, ColorMap.binary().palette):
            colours[1] = _LESION  # white marks nothing on an X-ray
        return [{"index": index, "name": name, "colour": colours[index]} for index, name in names.items()]

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
        """The track in which a reader draws: that of all, the reader's own (blind), or the consensus."""
        if self.settings.consensus:
            return CONSENSUS
        return own_track(reader) if self.settings.blind else SHARED

    def wish(self, reader: str, order: str = "need", status: str = "all", search: str = "") -> Wish:
        """A part of the queue as a reader sees it."""
        least = _LEAST_READINGS if self.settings.consensus else 0
        return Wish(self.track_of(reader), order, status, search, least)

    def where(self, item: Item, track: str) -> Where:
        """The mask of an item in a track.

        It begins with the draft; of a blind reader with nothing; the consensus with what most readers drew.
        """
        begins = {SHARED: self._draft, CONSENSUS: self._majority}
        begin: Callable[[], np.ndarray] = partial(begins.get(track, self._nothing), item)
        return Where(item.id, track, begin)

    def hides_draft(self, item: Item, reader: str) -> bool:
        """Whether a reader may not see the draft yet: in blind mode, before the reader's own decision."""
        return self.settings.blind and self.decisions.last(item.id, reader=reader) is None

    def has_draft(self, item: Item, reader: str) -> bool:
        """Whether a reader is told of a draft: of every image, where some lack one to measure readers by."""
        return bool(item.mask) or (self.settings.measures_readers and self.hides_draft(item, reader))

    def draft(self, item: Item, reader: str) -> np.ndarray:
        """The mask that came with an image, uint8 `(H, W)`.

        Raises:
            ForbiddenError: while blind mode hides it.
            MissingError: if the image has none.
        """
        if self.hides_draft(item, reader):
            raise ForbiddenError("the draft is shown after your own decision (blind mode).")
        if not item.mask:
            raise MissingError("this image came without a mask.")
        return self._draft(item)

    def mask_of_reader(self, item: Item, reader: str) -> Mask:
        """What a blind reader drew, for the consensus.

        Raises:
            ForbiddenError: if this is no consensus: readers do not see each other's masks.
            MissingError: if the reader has not decided on the image.
        """
        if not self.settings.consensus:
            raise ForbiddenError("masks of other readers are shown for a consensus alone (--consensus).")
        decision = self.decisions.last(item.id, track=own_track(reader))
        if decision is None:
            raise MissingError(f"{reader} has not decided on this image.")
        return self.masks.at(self.where(item, decision.track), decision.version)

    def readers_of(self, item: Item) -> list[Decision]:
        """The last decision of each blind reader of an image."""
        last = {}
        with self.database.read() as session:
            for decision in session.scalars(
                select(Decision)
                .where(Decision.item_id == item.id, Decision.track.startswith(own_track("")))
                .order_by(Decision.id)
            ):
                last[decision.track] = decision
        return list(last.values())

    def decided_labels(self, item: Item, decision: Decision) -> np.ndarray:
        """The mask that a decision is about, uint8 `(H, W)`."""
        return self.masks.at(self.where(item, decision.track), decision.version).labels

    def prepare_next(self, wish: Wish, after: int) -> None:
        """Cut the next image into tiles, if that is not done yet; what is wrong is told when it is opened."""
        number = self.queue.next(wish, after)
        if number is not None:
            with suppress(InputError):
                self.images.picture(self.images.checked(number))

    def log(self, reader: str, action: str, detail: str = "") -> None:
        """Write a line of the audit log."""
        with self.database.write() as session:
            session.add(Event(at=now(), reader=reader, action=action, detail=detail))

    def _mask_reader(self, laid: Laid) -> MaskReader:
        reader, run = self.settings.reader, self.settings.run
        if reader is None and run:
            reader = mask_reader(run)
        if reader is None:
            drawn = [entry.mask for entry in laid.entries if entry.mask]
            reader, note = guess_reader(sample_of(drawn))  # a desk of thousands opens at once
            self.notes += [note] if note else []
        if reader.color_map.num_classes > IGNORED:
            raise ConfigError(
                f"a desk has room for {IGNORED} classes, the masks have {reader.color_map.num_classes}."
            )
        if run and color_map(run).num_classes != reader.color_map.num_classes:
            raise ConfigError(
                f"the run knows {color_map(run).num_classes} classes, the masks have "
                f"{reader.color_map.num_classes}: give --run a run of the same classes."
            )
        return reader

    def _newest(self, number: int, track: str) -> Mask:
        return self.masks.newest(self.where(self.images.item(number), track))

    def _draft(self, item: Item) -> np.ndarray:
        return self._read(item, item.mask) if item.mask else self._nothing(item)

    def _read(self, item: Item, mask: str) -> np.ndarray:
        picture = self.images.picture(self.images.checked(item.id))
        return self.reader.read_like(mask, (picture.height, picture.width), item.image)

    def _nothing(self, item: Item) -> np.ndarray:
        picture = self.images.picture(self.images.checked(item.id))
        return np.zeros((picture.height, picture.width), np.uint8)

    def _majority(self, item: Item) -> np.ndarray:
        drawn = [self.decided_labels(item, decision) for decision in self.readers_of(item)]
        return majority(drawn) if drawn else self._nothing(item)

    def _file(self, item: int, track: str) -> None:
        self.files.tell(item, track)

    def _fact(self, name: str, value: str) -> str:
        """A fact of the desk, written down when it is asked for first."""
        with self.database.write() as session:
            known = session.scalars(select(Fact.value).where(Fact.name == name)).one_or_none()
            if known is None:
                session.add(Fact(name=name, value=value))
        return value if known is None else known
