"""What a reader of a public data set is, and what it finds in a download.

collection = Collection("inbreast", "INbreast", ..., read=read_inbreast)
contents = collection.read(Download.open("INbreast Release 1.0"))
contents.films[0].annotation.columns["density"], contents.gaps
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flexunet.data.annotations.shapes import Box, FilmAnnotation, Shape, marked_by
from flexunet.data.collections.download import Download
from flexunet.errors import ConfigError

# The vocabulary of the manifest: every reader uses these columns, and no other, for these facts.
FACTS = {
    "dataset": "name of the data set",
    "patient": "the person; empty where the download does not tell",
    "side": "`L` or `R`",
    "view": "`CC`, `MLO` or what else the data set names",
    "modality": "`low energy`, `subtracted`, `synthetic` or `ultrasound`; empty for a mammogram",
    "density": "breast density (ACR), 1 to 4",
    "tissue": "another description of the breast, in the words of the data set",
    "finding": "kinds of lesion, in small letters; `normal` for none",
    "pathology": "`benign`, `malignant`, `normal`; `benign without callback`",
    "birads": "BI-RADS assessment, 0 to 6, 4a, 4b, 4c",
    "subtlety": "1 (subtle) to 5 (obvious)",
    "age": "years",
    "official_split": "`train`, `valid` or `test` of the publisher",
    "annotator": "who drew the outlines",
    "boxes": "boxes `x y x y` in pixels of the raw film, corners top left and bottom right, `;` between them",
}
ORIGINS = {
    "mask": "drawn pixel by pixel, or an outline that the publisher filled",
    "outline": "polygon",
    "circle": "circle or ellipse around the lesion: not its outline",
    "point": "a point, of which one pixel remains",
    "box": "box: only with `--weak-masks`",
    "label": "no lesion, by the data set's own word",
}

UNION = "union"
NO_OUTLINE = "films without outlines"
NO_FILM = "outlines without films"
NEITHER = "table rows without film or outline"


@dataclass(frozen=True)
class MaskFiles:
    """A lesion (or a tissue) that a file marks; where several files may be it, their content decides.

    Attributes:
        candidates: The files: one, or a mask and a crop of which nobody knows which is which.
        label: What is marked.
        value: The value of its pixels in the file; None where all that is not black is marked.
    """

    candidates: tuple[Path, ...]
    label: str = "lesion"
    value: int | None = None


@dataclass(frozen=True)
class Film:
    """A film of a download.

    Attributes:
        path: The file.
        name: Name of the image made from it, unlike that of any other film of the data set.
        annotation: Its state, outlines and facts.
        masks: Masks in files.
        boxes: Boxes of lesions; no masks unless asked for.
        spacing_mm: Side of a pixel in mm, where the data set tells and the file does not.
        channels: Further files, of which each is a channel after that of `path`.
    """

    path: Path
    name: str
    annotation: FilmAnnotation
    masks: tuple[MaskFiles, ...] = ()
    boxes: tuple[Box, ...] = ()
    spacing_mm: float | None = None
    channels: tuple[Path, ...] = ()


@dataclass
class Contents:
    """What lies in a download.

    Attributes:
        films: Its films.
        gaps: What is missing, by kind: names of films, outlines or table rows.
        notes: What a user should know, a sentence each.
    """

    films: list[Film]
    gaps: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def without_outline(self, names: Iterable[str]) -> None:
        """Note films whose outlines are missing."""
        self._miss(NO_OUTLINE, names)

    def without_film(self, names: Iterable[str]) -> None:
        """Note outlines whose films are missing."""
        self._miss(NO_FILM, names)

    def without_either(self, names: Iterable[str]) -> None:
        """Note table rows of which neither film nor outline is there."""
        self._miss(NEITHER, names)

    def _miss(self, kind: str, names: Iterable[str]) -> None:
        if names := sorted(names):
            self.gaps.setdefault(kind, []).extend(names)

    def count(self, tissues: frozenset[str] = frozenset()) -> dict[str, int]:
        """Films, patients (those that are known) and marked lesions, without the labels of tissues."""
        patients = {patient for film in self.films if (patient := film.annotation.columns.get("patient"))}
        labels = [
            each.label
            for film in self.films
            for each in (*film.annotation.shapes, *film.masks, *film.boxes)
            if each.label not in tissues
        ]
        return {"films": len(self.films), "patients": len(patients), "lesions": len(labels)}


@dataclass(frozen=True)
class Erratum:
    """A known fault of a data set, and who says so."""

    text: str
    source: str


@dataclass(frozen=True)
class Collection:
    """A public data set: one row.

    Attributes:
        name: What `--dataset` calls it.
        title: What its authors call it.
        about: What it is, a phrase.
        marks: How it marks lesions.
        licence: Its licence, or that it is not known.
        obtain: Where to get it.
        signature: Regular expression of paths that its downloads hold and those of others do not.
        read: Reads a download; where several people marked films, told whose word counts, see `contents`.
        expected: How many films, patients and lesions a whole download has; what is not known is left out.
        layout: What a download holds, for messages.
        errata: Known faults.
        tissues: Labels that are no lesions; drawn only if `--classes` names them.
        on_top: Labels from the one drawn last; others are drawn before them.
        whole: Whether pictures are kept whole, because they are no mammograms.
        annotators: Those who marked films one by one; the first counts where nobody is named.
    """

    name: str
    title: str
    about: str
    marks: str
    licence: str
    obtain: str
    signature: str
    read: Callable[..., Contents]
    layout: str
    expected: Mapping[str, int] = field(default_factory=dict)
    errata: tuple[Erratum, ...] = ()
    tissues: frozenset[str] = frozenset()
    on_top: tuple[str, ...] = ()
    whole: bool = False
    annotators: tuple[str, ...] = ()

    def contents(self, download: Download, annotator: str = "") -> Contents:
        """What lies in a download, marked by one annotator, or by all of them together (`union`).

        Raises:
            ConfigError: if there is no such annotator.
            DatasetError: as the data set's reader.
        """
        if not annotator:
            return self.read(download)
        if annotator not in (*self.annotators, UNION):
            known = ", ".join((*self.annotators, UNION)) if self.annotators else "none, it has one reading"
            raise ConfigError(f"--annotator {annotator!r}: {self.title} knows {known}.")
        return self.read(download, self.annotators if annotator == UNION else (annotator,))


def facts(**told: str) -> dict[str, str]:
    """Facts of a film in the words of the manifest, without those that are not known.

    Raises:
        KeyError: if one is not in `FACTS`.
    """
    return {name: value for name in told if (value := told[name].strip()) and FACTS[name]}


def list_boxes(boxes: Iterable[Box]) -> str:
    """Boxes as the manifest's column `boxes` has them, pixels to two decimals."""
    corners = [(*box.points[0], *box.points[2]) for box in boxes]
    return "; ".join(" ".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in box) for box in corners)


def density_number(letter: str) -> str:
    """Density A to D as 1 to 4; "" for anything else."""
    return str("ABCD".find(letter) + 1 or "") if letter else ""


def joined(values: Iterable[str]) -> str:
    """What several lesions of a film say, each once: `calcification+mass`."""
    return "+".join(sorted({value for value in values if value}))


def origin_of(shapes: Iterable[Shape], masks: Iterable[MaskFiles] = ()) -> str:
    """How lesions are marked, a word of `ORIGINS` or several."""
    return joined([*map(marked_by, shapes), *("mask" for _ in masks)]) or "label"
