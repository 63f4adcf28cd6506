"""Mask files as 8-bit pictures, before their colours mean classes."""

from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import as_grey_if_grey
from flexunet.data.images.files.header import is_float_file
from flexunet.data.images.files.read import read_image


def mask_picture(path: Path, grey_range: str = "full") -> np.ndarray:
    """A mask file as a picture, uint8: `(H, W)` if it is grey, else `(H, W, 3)`.

    Args:
        path: The file.
        grey_range: Which values of floating-point files are black and white.

    Raises:
        ImageError: if the file cannot be read.
        MaskError: if it has neither one channel nor three.
    """
    return as_grey_if_grey(_eight_bits(_stored_picture(path, grey_range)))


def _stored_picture(path: Path, grey_range: str) -> np.ndarray:
    """The values as stored. In DICOM they count, not a window, which is for looking at films."""
    if grey_range != "full" and is_float_file(path):
        return read_image(path, channels=None, grey_range=grey_range)
    picture = read_image(path, channels=None, dicom_window="stored")
    if picture.dtype == np.uint16 and int(picture.max()) > 255:
        picture = read_image(path, channels=None, dicom_window="full")  # white of 12 bits is white
    return picture


def _eight_bits(picture: np.ndarray) -> np.ndarray:
    """16-bit mask files hold either 8-bit values as they are, or colours scaled up to 65535."""
    if picture.dtype == np.uint8 or int(picture.max()) <= 255:
        return picture.astype(np.uint8)
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
