"""Masks of images that were cut from films, put back on the films, as corrected drafts are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from flexunet.data.dataset.identity import Identities
from flexunet.data.dataset.manifest import FILE_NAME, find_root
from flexunet.data.derive.crop import CropBox
from flexunet.data.images.masks.reader import MaskReader


def read_film_mask(reader: MaskReader, path: Path, shape: tuple[int, int], film: Path) -> np.ndarray:
    """The mask of a film, from a file of the film's size or of the image that was cut from it.

    The manifest of the data set that the mask lies in tells what was cut: the crop box of its row, or sizes
    alone (`raw_width`, `raw_height`, `image_width`, `image_height`) where the whole film was scaled.

    Args:
        reader: How masks are read.
        path: The mask file.
        shape: Height and width of the film.
        film: The film, for messages.

    Returns:
        Class indices, uint8, of the film's size.

    Raises:
        MaskError: if the mask cannot be read, or has the size of neither.
        DatasetError: if the manifest cannot be read.
    """
    row = _identities(path.parent, _changed(path.parent)).of(path).row
    if row.get("image_width") and row.get("raw_width"):
        box = CropBox.from_row(row if row.get("crop_width") else _scaled(row))
        if (box.raw_height, box.raw_width) == shape and shape != (box.image_height, box.image_width):
            mask = reader.read(path)
            if mask.shape == (box.image_height, box.image_width):
                return box.restore(mask)
    return reader.read_like(path, shape, film, "film")


@lru_cache(maxsize=8)
def _identities(folder: Path, changed: int) -> Identities:
    """Identities of a folder, read once and not for each of its masks; `changed` is when its manifest was."""
    return Identities.of_folder(folder)


def _changed(folder: Path) -> int:
    root = find_root(folder)
    return (root / FILE_NAME).stat().st_mtime_ns if root else 0


def _scaled(row: Mapping[str, str]) -> dict[str, str]:
    """A row of a film that was scaled whole, with the crop box that this is."""
    whole = {"crop_x": "0", "crop_y": "0", "mirrored": "0"}
    return {**row, **whole, "crop_width": row["raw_width"], "crop_height": row.get("raw_height", "")}
