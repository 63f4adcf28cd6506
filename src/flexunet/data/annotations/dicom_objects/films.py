"""The films to which DICOM objects refer: by SOP Instance UID, never by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNKNOWN, UNMARKED, FilmAnnotation, Shape
from flexunet.data.dicom.header import spacing_of
from flexunet.data.dicom.read import is_dicom_file, read_header, refusing_damage
from flexunet.data.images.files.names import image_stem
from flexunet.errors import ImageError, MaskError

if TYPE_CHECKING:
    from pydicom import Dataset

_OFF_PLANE = 1.0  # mm


@dataclass(frozen=True)
class Film:
    """A DICOM film, as far as outlines need it.

    Attributes:
        path: Its file.
        width: Pixels.
        height: Pixels.
        spacing: Height and width of a pixel in mm; None where it is not told.
        origin: Place of the middle of its first pixel in mm; None for a film without a place in space.
        axes: Directions along a row and down a column, `(2, 3)`.
    """

    path: Path
    width: int
    height: int
    spacing: tuple[float, float] | None
    origin: np.ndarray | None
    axes: np.ndarray

    def pixels_of(self, points: np.ndarray, where: str) -> np.ndarray:
        """Columns and rows `(n, 2)` of points in mm `(n, 3)`; whole numbers are middles of pixels.

        A film without a place in space, as most mammograms are, is taken to begin at 0 and to lie straight.

        Raises:
            MaskError: if its spacing is unknown, or a point does not lie on it; `where` is their place.

        Source: DICOM PS3.3 2024, C.7.6.2.1.1.
        """
        if self.spacing is None:
            raise MaskError(f"{where} is in mm, but {self.path} does not tell the size of a pixel.")
        down, across = self.spacing
        away = points - (np.zeros(3) if self.origin is None else self.origin)
        if self.origin is not None:
            farthest = float(np.abs(away @ np.cross(self.axes[0], self.axes[1])).max())
            if farthest > _OFF_PLANE:
                raise MaskError(f"{where} lies {farthest:.1f} mm off its film {self.path.name}.")
        return away @ self.axes.T / (across, down)


class Films:
    """The films of a folder by SOP Instance UID; headers are read when the first is asked for.

    Args:
        paths: Their files; those that are not DICOM are left aside.
    """

    def __init__(self, paths: Iterable[Path]):
        self._paths = list(paths)
        self._by_uid: dict[str, Film] | None = None

    def find(self, uid: str) -> Film | None:
        """The film, None if it is not among them.

        Raises:
            MaskError: if two films have one UID.
        """
        if self._by_uid is None:
            self._by_uid = {}
            for path in self._paths:
                if is_dicom_file(path) and (told := _film(path)):
                    name, film = told
                    if before := self._by_uid.get(name):
                        raise MaskError(
                            f"{before.path} and {path} have one SOPInstanceUID. Keep one of them."
                        )
                    self._by_uid[name] = film
        return self._by_uid.get(uid)

    def stem_of(self, uid: str) -> str:
        """Name of the film with this UID; where it is not there the UID, as many exports are named."""
        film = self.find(uid)
        return image_stem(film.path) if film else uid


@dataclass
class Marks:
    """What an object says of one film, gathered piece by piece.

    Attributes:
        shapes: Its lesions.
        width: Pixels of the frame.
        height: Pixels of the frame.
        unknown: What marks no area, a sentence; the film is `unknown` then.
        broken: What is wrong, a sentence.
        notes: What was left out.
    """

    shapes: list[Shape] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    unknown: str = ""
    broken: str = ""
    notes: list[str] = field(default_factory=list)

    def annotation(self, nothing: str, on_centres: bool = False) -> FilmAnnotation:
        """The same as an annotation; `nothing` says why a film without shapes is not normal."""
        frame = {"width": self.width, "height": self.height, "on_centres": on_centres}
        if self.broken:
            return FilmAnnotation(BROKEN, reason=self.broken)
        if self.unknown:
            return FilmAnnotation(UNKNOWN, reason=self.unknown)
        if not self.shapes:
            return FilmAnnotation(UNMARKED, reason=nothing)
        return FilmAnnotation(ANNOTATED, tuple(self.shapes), notes=tuple(self.notes), **frame)  # type: ignore[arg-type]


def gathered(
    films: Films, marks: Mapping[str, Marks], nothing: str, on_centres: bool = False
) -> dict[str, FilmAnnotation]:
    """Annotations by name of the film, from marks by UID."""
    return {films.stem_of(uid): each.annotation(nothing, on_centres) for uid, each in marks.items()}


def _film(path: Path) -> tuple[str, Film] | None:
    """UID and film; None for a file that cannot be read, which is named when it is read as a film."""
    try:
        with refusing_damage(path):
            header = read_header(path)
            uid = str(header.get("SOPInstanceUID") or "")
            rows, columns = header.get("Rows"), header.get("Columns")
            if not uid or not isinstance(rows, int) or not isinstance(columns, int):
                return None
            origin, axes = _place(header)
            return uid, Film(path, columns, rows, spacing_of(path, header), origin, axes)
    except ImageError:
        return None


def _place(header: Dataset) -> tuple[np.ndarray | None, np.ndarray]:
    """Origin and axes of an image in space; the identity where it has none."""
    position, directions = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if position is None or directions is None or len(position) != 3 or len(directions) != 6:
        return None, np.eye(3)[:2]
    return np.array(position, float), np.array(directions, float).reshape(2, 3)
