"""NumPy files (`.npy`) that are images with any number of channels."""

import math
from pathlib import Path

import numpy as np

from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.names import ARRAY_SUFFIX
from flexunet.data.volumes.arrays import open_numpy
from flexunet.errors import ImageError

MOST_CHANNELS = 64
_ARRAY_MARK = b"\x93NUMPY"


def is_array_file(path: Path) -> bool:
    """Whether a file is read as an array: by its suffix; without one (an upload), by its first bytes."""
    if path.suffix:
        return path.suffix.lower() == ARRAY_SUFFIX
    with path.open("rb") as stream:
        return stream.read(len(_ARRAY_MARK)) == _ARRAY_MARK


def open_array(path: Path) -> np.ndarray:
    """An array file that may be an image, its values not read yet.

    Raises:
        ImageError: if it holds no array, or one that is no image or too large.
    """
    values = open_numpy(path)
    shape = values.shape
    if len(shape) not in (2, 3) or 0 in shape or math.prod(shape[2:]) > MOST_CHANNELS:
        raise ImageError(
            f"{path} holds an array {shape}; expected height x width x channels, at most {MOST_CHANNELS} of "
            "these."
        )
    if math.prod(shape[:2]) > MAX_PIXELS:
        raise ImageError(f"{path} is too large: more than {MAX_PIXELS:,} pixels. Scale it down.")
    return values
