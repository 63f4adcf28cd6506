"""Films and masks of a public data set, for `derive`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNKNOWN, UNMARKED
from flexunet.data.collections.collection import Collection, Contents, Film, origin_of
from flexunet.data.collections.download import Download
from flexunet.data.collections.drawing import draw_mask, number_lesions_of
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.derive.film_masks import EXCLUDED, LABELLED, TO_REVIEW, FilmMask, ModelMasks, RawFilm
from flexunet.errors import DatasetError, MaskError


def raw_films(download: Download, contents: Contents) -> list[RawFilm]:
    """The films of a download as `derive` takes them.

    Raises:
        DatasetError: if two films would give one image, or there is none.
    """
    films, names = [], dict[str, Film]()
    for film in contents.films:
        if before := names.get(film.name):
            raise DatasetError(
                f"{before.path} and {film.path} would both become {film.name}.png. Keep one of them."
            )
        names[film.name] = film
        columns = film.annotation.columns
        file = film.path.relative_to(download.root).as_posix()
        normal, side = film.annotation.state == NORMAL, columns.get("side", "")
        films.append(RawFilm(film.path, file, film.name, "", normal, side, film.spacing_mm, film.channels))
    if not films:
        raise DatasetError(f"{download.root} holds no film of the data set.")
    return films


@dataclass(frozen=True)
class CollectionMasks:
    """Masks as a public data set gives them.

    Attributes:
        films: Its films by raw file.
        collection: The data set.
        classes: Class index of each label, as in `draw_mask`.
        weak: Whether boxes become masks.
        model: The model that drafts masks of films that nobody marked; such films go to review without it.
    """

    films: Mapping[str, Film]
    collection: Collection
    classes: Mapping[str, int] | None = None
    weak: bool = False
    model: ModelMasks | None = None

    @property
    def origin(self) -> str:
        """The data set; the manifest tells of each film how its lesions are marked."""
        return self.collection.name

    @property
    def min_confidence(self) -> float:
        """Drafts below this confidence are for a person to look at."""
        return self.model.min_confidence if self.model else 0.0

    def fingerprint(self, film: RawFilm) -> str:
        """Changes with the film's outlines, its mask files and what is asked for."""
        own = self.films[film.file]
        annotation = replace(own.annotation, columns={}, notes=())
        digests = [sha256_of(path) for marked in own.masks for path in marked.candidates]
        labels = [
            marked.label if marked.value is None else (marked.label, marked.value) for marked in own.masks
        ]
        model = self.model.fingerprint(film) if self.model else ""
        told = f"{annotation} {labels} {digests} {own.boxes} {self.classes} {self.weak} {model}"
        return hashlib.sha256(told.encode()).hexdigest()

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """The mask of a film; never an empty one for a film that the data set does not call normal."""
        own = self.films[film.file]
        state, reason = own.annotation.state, own.annotation.reason
        if state == BROKEN:
            raise MaskError(reason)
        if state == NORMAL:
            tissues = draw_mask(own, self.collection, width, height, self.classes)
            return FilmMask(LABELLED, tissues, origin="label")
        if state == UNKNOWN:
            return FilmMask(EXCLUDED, reason=f"abnormal, but nobody says where: {reason}")
        if self.weak and own.boxes:
            boxed = replace(own, annotation=replace(own.annotation, shapes=own.boxes), masks=())
            return self._drawn(boxed, width, height, "box")
        if state == UNMARKED:
            if self.model:
                return replace(self.model.mask_of(film, width, height), origin="model")
            return FilmMask(TO_REVIEW, reason=reason or "nobody marked it, and nobody calls it normal")
        lesions = [shape for shape in own.annotation.shapes if shape.label not in self.collection.tissues]
        masks = [marked for marked in own.masks if marked.label not in self.collection.tissues]
        return self._drawn(own, width, height, origin_of(lesions, masks))

    def _drawn(self, film: Film, width: int, height: int, origin: str) -> FilmMask:
        try:
            mask = draw_mask(film, self.collection, width, height, self.classes)
        except MaskError as error:
            return FilmMask(EXCLUDED, reason=str(error))
        labels = {each.label for each in (*film.annotation.shapes, *film.masks)} - self.collection.tissues
        drawn = {1} if self.classes is None else {self.classes.get(label, 0) for label in labels} - {0}
        if not np.isin(mask, list(drawn)).any():
            return FilmMask(
                EXCLUDED,
                reason="its outlines mark no pixel of the film: they lie beyond it, are too small, or have "
                "no class",
            )
        numbers = number_lesions_of(film, self.collection, mask, self.classes)
        return FilmMask(LABELLED, mask, origin=origin, instances=numbers)
