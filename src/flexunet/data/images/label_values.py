"""Class indices as a file stores them, whatever its colours: label files of nnU-Net and of other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import as_grey_if_grey
from flexunet.data.images.files.read import read_image, read_palette_indices
from flexunet.data.volumes.read import is_volume_file, read_plane
from flexunet.errors import ImageError, MaskError

_HIGHEST = 255


def read_label_values(path: Path) -> np.ndarray:
    """The values that a file stores: those of a palette's index, of grey, or of a volume of one slice.

    Returns:
        uint8 array `(H, W)`.

    Raises:
        MaskError: if the file cannot be read, or stores colours, fractions, or values above 255.
    """
    try:
        values = read_plane(path) if is_volume_file(path) else _picture(path)
    except ImageError as error:
        raise MaskError(f"labels {error}") from error
    if values.ndim > 2:
        raise MaskError(f"labels {path} are in colour; expected class indices, 0 for the background.")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= _HIGHEST) or (values.dtype.kind == "f" and (values % 1).any()):
        raise MaskError(
            f"labels {path} have values from {low} to {high}; expected whole numbers from 0 to {_HIGHEST}."
        )
    return values.astype(np.uint8)


def _picture(path: Path) -> np.ndarray:
    indices = read_palette_indices(path)
    if indices is not None:
        return indices
    picture = read_image(path, channels=None, dicom_window="stored")
    if picture.dtype == np.uint8:
        return as_grey_if_grey(picture)
    return picture[..., 0] if picture.shape[2] == 1 else picture
