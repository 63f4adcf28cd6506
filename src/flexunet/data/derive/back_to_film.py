"""Masks of images that were cut from films, put back on the films, as corrected drafts are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flexunet.data.dataset.identity import Identities
from flexunet.data.derive.crop import CropBox
from flexunet.data.images.masks import MaskReader


def read_film_mask(reader: MaskReader, path: Path, shape: tuple[int, int], film: Path) -> np.ndarray:
    """The mask of a film, from a file of the film's size or of the image that was cut from it.

    The manifest of the data set that the mask lies in tells what was cut.

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
    row = Identities.of_folder(path.parent).of(path).row
    if row.get("crop_width"):
        box = CropBox.from_row(row)
        if (box.raw_height, box.raw_width) == shape and shape != (box.image_height, box.image_width):
            mask = reader.read(path)
            if mask.shape == (box.image_height, box.image_width):
                return box.restore(mask)
    return reader.read_like(path, shape, film, "film")
