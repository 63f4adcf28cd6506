"""The pictures that a model has seen: digests and fingerprints, kept with the run that saw them.

A test image that shows one of them is recognised without the training images: under another name, mirrored,
turned, shrunk, or in another format. The file holds about 20 KB an image.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.copies.find import FEWEST_INLIERS, find_copies, look_at_file
from flexunet.data.copies.fingerprints import LENGTH, Fingerprint
from flexunet.data.copies.store import FingerprintStore
from flexunet.errors import DatasetError, ImageError
from flexunet.files import replacing
from flexunet.progress import Progress, silent

_FORM = "flexunet.pictures/1"
_NOTHING = Fingerprint(np.zeros((0, 2), np.float32), np.zeros((0, LENGTH), np.uint8))


@dataclass(frozen=True, eq=False)
class Pictures:
    """What images look like, one entry an image.

    Attributes:
        names: File names.
        splits: Split of each.
        digests: Of the content of each file.
        fingerprints: For finding copies; without features where a file is no readable image.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    digests: tuple[str, ...]
    fingerprints: tuple[Fingerprint, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same files of the same splits."""
        if not isinstance(other, Pictures):
            return False
        return (self.names, self.splits, self.digests) == (other.names, other.splits, other.digests)

    def of_splits(self, splits: Sequence[str]) -> Pictures:
        """Those of some splits."""
        kept = [i for i, split in enumerate(self.splits) if split in splits]
        columns = (self.names, self.splits, self.digests, self.fingerprints)
        return Pictures(*(tuple(column[i] for i in kept) for column in columns))  # type: ignore[arg-type]


def take_pictures(
    images: Mapping[str, Sequence[Path]],
    earlier: Pictures | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Pictures:
    """Look at images and keep what they look like, about 30 ms an image.

    Args:
        images: Image files of each split.
        earlier: Pictures taken before; a file of a digest among them is not looked at again.
        jobs: Threads; one a processor by default.
        progress: Told how many images are looked at.
    """
    paths = [(split, path) for split, files in images.items() for path in files]
    known = dict(zip(earlier.digests, earlier.fingerprints, strict=True)) if earlier else {}

    looked = []
    with FingerprintStore() as store, ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:

        def look(path: Path) -> tuple[str, Fingerprint]:
            try:
                return look_at_file(path, store, known)
            except (ImageError, OSError):
                return "", _NOTHING

        for one in pool.map(look, [path for _, path in paths]):
            looked.append(one)
            progress("pictures", len(looked), len(paths))
    return Pictures(
        tuple(path.name for _, path in paths),
        tuple(split for split, _ in paths),
        tuple(digest for digest, _ in looked),
        tuple(fingerprint for _, fingerprint in looked),
    )


def write_pictures(path: Path, pictures: Pictures) -> None:
    """Write pictures to a file; it appears whole or not at all."""
    prints = pictures.fingerprints
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            form=np.array(_FORM),
            names=np.array(pictures.names, dtype=str),
            splits=np.array(pictures.splits, dtype=str),
            digests=np.array(pictures.digests, dtype=str),
            features=np.array([len(one.points) for one in prints], np.int64),
            points=np.concatenate([_NOTHING.points, *(one.points for one in prints)]),
            descriptors=np.concatenate([_NOTHING.descriptors, *(one.descriptors for one in prints)]),
        )


def read_pictures(path: Path) -> Pictures | None:
    """Read the pictures that `write_pictures` wrote; None where there is no file.

    Raises:
        DatasetError: if the file is damaged or has another form.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            columns: dict[str, Any] = {name: file[name] for name in file.files}
        if str(columns["form"]) != _FORM:
            raise ValueError(f"its form is {columns['form']}")
        ends = np.cumsum(columns["features"])[:-1]
        points, descriptors = (np.split(columns[name], ends) for name in ("points", "descriptors"))
        texts = (tuple(columns[name].tolist()) for name in ("names", "splits", "digests"))
        if not len(columns["names"]):
            points = descriptors = []
        prints = tuple(Fingerprint(*parts) for parts in zip(points, descriptors, strict=True))
        names, splits, digests = texts
        if not len(names) == len(splits) == len(digests) == len(prints):
            raise ValueError("its columns differ in length")
        return Pictures(names, splits, digests, prints)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} is damaged: {error}. Remove it; evaluate makes it anew from the training images."
        ) from error


@dataclass(frozen=True)
class Seen:
    """What a look for known pictures among images came to.

    Attributes:
        matches: Names of an image and of the known picture that it shows, one for each image that shows one.
        looked_at: Number of images that could be compared, those with a match included.
        plain: Number of images that could not: unreadable, or with too few features to be recognised.
    """

    matches: tuple[tuple[str, str], ...]
    looked_at: int
    plain: int


def find_known(
    known: Pictures, images: Sequence[Path], *, jobs: int | None = None, progress: Progress = silent
) -> Seen:
    """Which images show a known picture.

    Args:
        known: The pictures.
        images: Image files.
        jobs: Threads; one a processor by default.
        progress: Told how far each stage is.
    """
    asked = take_pictures({"": images}, known, jobs=jobs, progress=progress)
    by_digest = {digest: i for i, digest in enumerate(known.digests) if digest}
    shows = {i: by_digest[digest] for i, digest in enumerate(asked.digests) if digest in by_digest}
    if len(known):
        everything = [*known.fingerprints, *asked.fingerprints]
        for pair in find_copies(everything, progress, jobs or os.cpu_count() or 1, known=len(known)):
            shows.setdefault(pair.second - len(known), pair.first)
    plain = sum(
        len(one.points) < FEWEST_INLIERS and i not in shows for i, one in enumerate(asked.fingerprints)
    )
    matches = tuple((asked.names[i], known.names[j]) for i, j in sorted(shows.items()))
    return Seen(matches, len(asked) - plain, plain)
