"""Masks stored as arrays: `.npz` files with class indices or one-hot classes."""

import math
import zipfile
from pathlib import Path

import numpy as np

from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.errors import MaskError
from flexunet.files import NOWHERE, leads_nowhere

_MOST_CLASSES = 256


def read_mask_array(path: Path, color_map: ColorMap, setting: str) -> np.ndarray:
    """Class indices of an `.npz` file, uint8 `(H, W)`; of one-hot classes the highest counts.

    Args:
        path: The file.
        color_map: Its number of classes, and whether there are ignored pixels: one-hot rows of zeros.
        setting: Where the user gives the colours, for messages.

    Raises:
        MaskError: if the file cannot be read, is too large, or holds no class indices of the map.
    """
    if not path.is_file():
        raise MaskError(f"mask {path} {NOWHERE if leads_nowhere(path) else 'does not exist.'}")
    try:
        _check_header(path)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            values = arrays["mask"]
    except MaskError:
        raise
    except Exception as error:  # encrypted, oddly compressed, cut short: each raises a class of its own
        raise MaskError(f"mask {path} cannot be read as .npz ({error}). Write it again.") from error
    numeric = values.dtype.kind in "buif"
    if numeric and values.ndim == 3 and values.shape[2] > 1:
        if values.shape[2] != color_map.num_classes:
            raise MaskError(
                f"mask {path}: {values.shape[2]} classes in the array, {color_map.num_classes} in {setting}."
            )
        indices = values.argmax(axis=2).astype(np.uint8)
        if color_map.ignore is not None:
            indices[~values.any(axis=2)] = IGNORED
        return indices
    if not numeric or values.ndim not in (2, 3) or values.size == 0:
        raise MaskError(
            f"mask {path}: expected indices H x W or one-hot H x W x classes, found {values.dtype} "
            f"{values.shape}."
        )
    indices = values.reshape(values.shape[:2])
    if values.ndim == 3 and values.dtype.kind == "f":
        indices = indices > 0.5
    if indices.min() < 0 or not color_map.is_index(indices).all() or (indices != np.floor(indices)).any():
        raise MaskError(
            f"mask {path}: expected class indices 0 to {color_map.num_classes - 1}, found values from "
            f"{indices.min()} to {indices.max()}."
        )
    return indices.astype(np.uint8)


def _check_header(path: Path) -> None:
    """Refuse an `.npz` mask by its header, before its values are unpacked: kilobytes may hold gigabytes."""
    with zipfile.ZipFile(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        if "mask" not in keys:
            raise MaskError(f"mask {path}: expected the key 'mask', found {', '.join(keys) or 'nothing'}.")
        with archive.open("mask.npy") as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
    if math.prod(shape[:2]) > MAX_PIXELS or math.prod(shape[2:]) > _MOST_CLASSES or dtype.itemsize > 16:
        raise MaskError(
            f"mask {path} declares an array {shape} of {dtype}; expected at most {MAX_PIXELS:,} pixels of at "
            f"most {_MOST_CLASSES} classes."
        )
