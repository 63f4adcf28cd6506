"""Where the masks of raw films come from: files, outlines, a trained model, or nowhere.

Each source answers for one film at a time, so that worker processes can ask it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from flexunet.data.annotations.shapes import NORMAL, UNKNOWN, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import origin_of
from flexunet.data.dataset.instances import cut_out, number_lesions
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.dataset.matching import listed, match_names
from flexunet.data.dataset.pairs import list_masks
from flexunet.data.derive.back_to_film import read_film_mask
from flexunet.data.images.files.header import orientation_of
from flexunet.data.images.files.names import image_stem
from flexunet.data.images.masks.indices import foreground_classes
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import ImageError, MaskError, PairingError, PathError, counted

LABELLED, TO_REVIEW, EXCLUDED, DRAFT = "labelled", "to_review", "excluded", "draft"

# Below this foreground probability a pixel is plain background; the many such pixels would hide all doubt.
_VISIBLE = 0.05


@dataclass(frozen=True)
class RawFilm:
    """One raw image file.

    Attributes:
        path: The file.
        file: Its path relative to the raw folder, with forward slashes.
        name: Stem of the files made from it.
        group: Name of the folder it lies in (`Cancer`, `Non-Cancer`); "" directly in the raw folder.
        normal: Whether its folder says that it shows no lesion.
        side: `L` or `R` where it is known; "" where the picture has to tell.
        spacing_mm: Side of a pixel in mm, where it is known and the file does not tell.
        channels: Further files, of which each is a channel after that of `path`.
    """

    path: Path
    file: str
    name: str
    group: str = ""
    normal: bool = False
    side: str = ""
    spacing_mm: float | None = None
    channels: tuple[Path, ...] = ()


@dataclass(frozen=True)
class FilmMask:
    """A source's answer.

    Attributes:
        state: `labelled` (here is the mask), `to_review` (a person has to draw it), `excluded` (must not be
            used) or `draft` (the model is to be asked).
        mask: Class indices of the whole film, uint8 `(H, W)`; None unless labelled.
        reason: Why it is not labelled.
        origin: How this film was marked, where that differs from film to film.
        instances: Numbers of its lesions, uint8 `(H, W)`; None where components tell them apart.
    """

    state: str
    mask: np.ndarray | None = None
    reason: str = ""
    origin: str = ""
    instances: np.ndarray | None = None


@dataclass(frozen=True)
class MaskDraft:
    """A mask that a model proposes for an image.

    Attributes:
        mask: Class indices, uint8 `(H, W)`.
        confidence: Mean probability of the class chosen, over the pixels in which the model sees any lesion.
        entropy: Mean entropy of the class probabilities over the same pixels, 0 (sure) to 1 (no idea).
    """

    mask: np.ndarray
    confidence: float
    entropy: float


class FilmMasks(Protocol):
    """A source of masks; `origin` is its name in the manifest."""

    @property
    def origin(self) -> str:
        """Name in the manifest's column `mask_origin`."""

    def fingerprint(self, film: RawFilm) -> str:
        """Changes when the mask of this film would."""

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """The mask of a film of `width` x `height` pixels."""


@dataclass(frozen=True)
class NoMasks:
    """No masks: films of a normal folder get empty ones, all others go to review."""

    origin: str = "none"

    def fingerprint(self, film: RawFilm) -> str:
        """Nothing to change."""
        return str(film.normal)

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """An empty mask for a normal film, none for others."""
        if film.normal:
            return FilmMask(LABELLED, np.zeros((height, width), np.uint8))
        return FilmMask(TO_REVIEW, reason="no mask was given")


@dataclass(frozen=True)
class ModelMasks:
    """Masks from a trained model; films of a normal folder get empty ones without asking it.

    Attributes:
        identity: Changes when the model does, e.g. the SHA-256 of its weights.
        min_confidence: Drafts below this confidence are for a person to look at.
    """

    identity: str
    min_confidence: float = 0.0
    origin: str = "model"

    def fingerprint(self, film: RawFilm) -> str:
        """The model's identity, and what it takes to be believed."""
        return f"{self.identity} {self.min_confidence} {film.normal}"

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """An empty mask for a normal film; else `draft`: the model works on the crop."""
        if film.normal:
            return FilmMask(LABELLED, np.zeros((height, width), np.uint8))
        return FilmMask(DRAFT)


@dataclass(frozen=True)
class AnnotatedMasks:
    """Masks drawn from circles and polygons."""

    annotations: Mapping[str, FilmAnnotation]
    classes: Mapping[str, int] | None = None
    origin: str = "annotations"

    def fingerprint(self, film: RawFilm) -> str:
        """Changes with the film's outlines."""
        text = f"{self.annotations.get(image_stem(film.path))} {self.classes} {film.normal}"
        return hashlib.sha256(text.encode()).hexdigest()

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """The shapes as a mask; a film of which nothing is known is excluded."""
        annotation = self.annotations.get(image_stem(film.path))
        if annotation is None:
            if film.normal:
                return FilmMask(LABELLED, np.zeros((height, width), np.uint8))
            return FilmMask(EXCLUDED, reason="the annotations do not mention it")
        if annotation.state == UNKNOWN:
            return FilmMask(EXCLUDED, reason=f"abnormal, but nobody says where: {annotation.reason}")
        if annotation.state == UNMARKED:
            return FilmMask(EXCLUDED, reason="the annotations mark nothing on it, and do not call it normal")
        if annotation.state != NORMAL and film.normal:
            return FilmMask(EXCLUDED, reason=f"annotated with a lesion, but lies in the folder {film.group}")
        try:
            mask = annotation.rasterise(width, height, self.classes)
        except MaskError as error:
            raise MaskError(f"{error}{self._turned(film, annotation)}") from error
        if annotation.state != NORMAL and not mask.any():
            return FilmMask(
                EXCLUDED,
                reason="its outlines mark no pixel of the film: they lie beyond it, or are too small",
            )
        numbers = number_lesions(mask, annotation.areas(width, height, self.classes))
        return FilmMask(LABELLED, mask, origin=origin_of(annotation.shapes), instances=numbers)

    def doubt_about_frames(self, films: Sequence[RawFilm]) -> str:
        """A sentence on outlined films that a tag mirrors or turns by half, so that no size tells the frame.

        Those of quarter turns are refused by `mask_of`, as their sizes differ.
        """
        turned = []
        for film in films:
            annotation = self.annotations.get(image_stem(film.path))
            with suppress(ImageError):  # told when the film itself is read
                if annotation and annotation.shapes and orientation_of(film.path) in (2, 3, 4):
                    turned.append(film.path.name)
        if not turned:
            return ""
        return (
            f"{counted(len(turned), 'outlined film has', 'outlined films have')} an orientation tag (EXIF) "
            f"that mirrors it or turns it upside down: {listed(turned)}. Outlines drawn on the unturned "
            "picture are misplaced: look at the contact sheet, or remove the tag and outline again."
        )

    @staticmethod
    def _turned(film: RawFilm, annotation: FilmAnnotation) -> str:
        """A sentence on an orientation tag of a film whose outlines were drawn in another frame."""
        if annotation.width is None or (orientation := orientation_of(film.path)) == 1:
            return ""
        return (
            f" {film.path.name} has an orientation tag (EXIF {orientation}) by which it is shown turned: the "
            "outlines may have been drawn on the unturned picture. Remove the tag, or outline the film as "
            "it is shown."
        )


@dataclass(frozen=True)
class GivenMasks:
    """Masks in files of the film's size, or of images that an earlier derive cut from the films.

    Attributes:
        paths: The mask of each film, by the film's name.
        reader: How masks are read.
        origin: Name in the manifest.
        unused: Masks of no film.
        further: Further masks of films (`a_mask_1` beside `a_mask`), which are united with the first.
        doubtful: What may be a further mask, or that of a missing film: their films are excluded.
    """

    paths: Mapping[str, Path]
    reader: MaskReader
    origin: str = "given"
    unused: Sequence[Path] = field(default=())
    further: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    doubtful: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def find(
        cls, folder: Path | str, films: Sequence[RawFilm], reader: MaskReader, suffix: str = ""
    ) -> GivenMasks:
        """Find the masks of films by name, in the folder or in folders named like those of the films.

        Args:
            folder: Where the masks are.
            films: The films.
            reader: How masks are read.
            suffix: What a mask's name has after that of its film (`_mask`); found if all have the same.

        Raises:
            PathError: if the folder is missing, is a file, or has no masks.
            PairingError: if no mask belongs to any film, one to two films, or all masks count as films.
        """
        folder = Path(folder)
        if folder.is_file():
            raise PathError(
                f"--masks {folder}: expected a folder of mask files, found a file. Outlines in a file "
                "(COCO, VIA, CSV, ...) are given with --annotations."
            )
        groups = sorted({film.group for film in films if film.group and (folder / film.group).is_dir()})
        places = [(folder / group, [film for film in films if film.group == group]) for group in groups]
        if not groups or any(path.is_file() for path in folder.iterdir()):
            places.append((folder, list(films)))
        paths: dict[str, Path] = {}
        masks: list[Path] = []
        further: dict[str, Sequence[Path]] = {}
        doubtful: dict[str, Path] = {}
        pictures = {film.path.resolve() for film in films}
        for place, members in places:
            waiting = [film for film in members if film.name not in paths]
            there = [path for path in list_masks(place) if path.resolve() not in pictures]
            matches = match_names([film.path for film in waiting], there, suffix or None)
            partners = matches.partners
            paths |= {film.name: partners[film.path] for film in waiting if film.path in partners}
            masks += there
            for film in waiting:
                if film.path in matches.further and matches.ending:
                    further[film.name] = matches.further[film.path]
                elif film.path in matches.further:  # a plain name and a number may be another film's
                    doubtful[film.name] = matches.further[film.path][0]
        if not masks:
            raise PairingError(
                f"{folder} is the folder of the films or lies in it, so all its files count as films, "
                "and none is named as a mask. Give derive the folder of the films alone, or name masks after "
                "their films (a_mask.png beside a.png)."
            )
        if not paths:
            raise PairingError(
                f"no mask in {folder} belongs to a film: films are named like {films[0].path.name}, "
                f"masks like {masks[0].name}. Name them alike, or say "
                "with --mask-suffix what masks have in addition."
            )
        used = Counter(paths.values())
        if len(used) < len(paths):
            twice = used.most_common(1)[0][0]
            raise PairingError(
                f"{twice} would be the mask of two films of the same name in different folders. Put the "
                "masks into folders named like those of the films."
            )
        united = {path for more in further.values() for path in more}
        unused = [path for path in masks if path not in used and path not in united]
        return cls(paths, reader, unused=unused, further=further, doubtful=doubtful)

    def fingerprint(self, film: RawFilm) -> str:
        """SHA-256 of the mask file and its colours."""
        path = self.paths.get(film.name)
        how = self.reader.color_map if self.reader.threshold is None else self.reader
        if path is None:
            return str(film.normal)
        more = "".join(f" {sha256_of(other)}" for other in self.further.get(film.name, ()))
        return f"{sha256_of(path)}{more} {how!r}{self.doubtful.get(film.name, '')}"

    def mask_of(self, film: RawFilm, width: int, height: int) -> FilmMask:
        """The file's mask; a film without one is excluded, or empty if its folder says normal."""
        path = self.paths.get(film.name)
        if path is None:
            if film.normal:
                return FilmMask(LABELLED, np.zeros((height, width), np.uint8))
            return FilmMask(EXCLUDED, reason="it has no mask file")
        if film.name in self.doubtful:
            name = self.doubtful[film.name].name
            return FilmMask(
                EXCLUDED,
                reason=f"{name} may be a second mask of it: unite the two in one file, or take {name} out",
            )
        mask = read_film_mask(self.reader, path, (height, width), film.path)
        each = [mask]
        for other in self.further.get(film.name, ()):
            more = read_film_mask(self.reader, other, (height, width), film.path)
            if ((mask > 0) & (more > 0) & (mask != more)).any():
                raise MaskError(
                    f"{path} and {other} give the same pixels other classes. Correct one of them."
                )
            mask = np.maximum(mask, more)
            each.append(more)
        lesions = [
            (label, *cut_out(one == label))
            for one in (each if len(each) > 1 else ())
            for label in foreground_classes(one)
        ]
        return FilmMask(LABELLED, mask, instances=number_lesions(mask, lesions))


def draft_mask(probabilities: np.ndarray) -> MaskDraft:
    """Turn a model's probabilities into a mask with figures of doubt.

    Args:
        probabilities: Float array `(H, W, classes)` that sums to 1 over classes, or `(H, W, 1)` of one class
            against background.

    Returns:
        The mask; confidence and entropy are means over the pixels with a foreground probability of at least
        0.05. Where there are none, confidence is 1 minus the highest foreground probability and entropy 0.
    """
    values = np.asarray(probabilities, np.float32)
    if values.shape[2] == 1:
        values = np.concatenate([1 - values, values], axis=2)
    mask = values.argmax(axis=2).astype(np.uint8)
    foreground = 1 - values[..., 0]
    seen = values[foreground >= _VISIBLE].astype(np.float64)
    if not len(seen):
        return MaskDraft(mask, float(1 - foreground.max()), 0.0)
    entropy = -(seen * np.log(np.clip(seen, 1e-12, 1))).sum(axis=1) / np.log(values.shape[2])
    return MaskDraft(mask, float(seen.max(axis=1).mean()), float(entropy.mean()))
