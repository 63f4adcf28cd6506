"""Masks: colours in files, class indices in memory.

In memory a mask is a uint8 array `H x W` of class indices. Colours exist only at the edges of the program:
a `ColorMap` turns them into indices on reading and back on writing. Masks are never interpolated.
"""

import zipfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flexunet.data.color_map import ColorMap
from flexunet.data.files import replacing
from flexunet.data.images import read_image
from flexunet.errors import ImageError, MaskError

__all__ = ["ColorMap", "read_mask", "resize_mask", "write_mask"]

FAR = 48  # Euclidean distance in RGB beyond which a colour counts as off the map
TOLERANCE = 0.05  # share of pixels that may be off the map: antialiased edges, JPEG blocks
_FLAT_AREA = 16  # pixels of one strange colour, their neighbours too: less is taken for an edge


def read_mask(
    path: Path | str, color_map: ColorMap, *, tolerance: float = TOLERANCE, threshold: float | None = None
) -> np.ndarray:
    """Read a mask file as class indices.

    A mask file is one of: a picture in the colours of the map (grey pictures too: 0 and 255 under a black and
    white map), taken by nearest colour; a single-channel 8-bit picture whose values are all below the number
    of classes and of which at least one is not 0: class indices; a `.npz` file with the key `mask` (indices
    `H x W` or one-hot `H x W x classes`).

    Args:
        path: The file.
        color_map: Colours of the classes.
        tolerance: Share of pixels that may lie far from every colour (antialiasing, JPEG); 1 accepts all.
        threshold: If given, the picture is turned grey and what lies above is class 1 (`[mask] binarize`).

    Returns:
        uint8 array `(H, W)`.

    Raises:
        MaskError: if the file cannot be read or its colours or indices do not fit the map.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, color_map)
    try:
        picture = read_image(path, channels=None)
    except ImageError as error:
        raise MaskError(f"mask {error}") from error
    if picture.dtype == np.uint16:
        picture = _eight_bits(picture, color_map)
    if threshold is not None:
        grey = picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return (grey.reshape(grey.shape[:2]) > threshold).astype(np.uint8)
    if picture.shape[2] == 1 and 0 < int(picture.max()) < color_map.num_classes:
        return picture[..., 0]
    mask, distances = color_map.encode_with_distance(picture)
    if tolerance < 1 and (distances > FAR**2).any():
        _refuse_strange_colors(path, picture, mask, distances > FAR**2, color_map, tolerance)
    return mask


def write_mask(path: Path | str, mask: np.ndarray, color_map: ColorMap) -> None:
    """Write a mask as palette PNG: the stored values are class indices, the palette has the colours.

    Raises:
        MaskError: if an index has no colour, or the name does not end in .png.
        PathError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise MaskError(f"cannot write mask {path}: the name must end in .png.")
    if mask.ndim != 2:
        raise MaskError(f"cannot write mask {path}: expected H x W class indices, found shape {mask.shape}.")
    color_map.check_indices(mask)
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    picture.putpalette(color_map.palette.ravel().tolist())
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=4)


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize class indices by nearest neighbour: no class appears that was not there."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _eight_bits(picture: np.ndarray, color_map: ColorMap) -> np.ndarray:
    """16-bit masks hold either small indices or scaled colours."""
    if picture.shape[2] == 1 and int(picture.max()) < color_map.num_classes:
        return picture.astype(np.uint8)
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _refuse_strange_colors(
    path: Path, picture: np.ndarray, mask: np.ndarray, off: np.ndarray, color_map: ColorMap, tolerance: float
) -> None:
    """Raise if many pixels, or a good part of the objects' flat areas, are far from every colour.

    Antialiased and JPEG edges are thin and vary from pixel to pixel; a class that the map lacks fills areas.
    """
    weights = np.array([65536, 256, 1], np.float32)[: picture.shape[2]]
    packed = picture.astype(np.float32) @ weights  # one exact number a colour
    kernel = np.ones((3, 3), np.uint8)
    flat = off & (cv2.dilate(packed, kernel) == cv2.erode(packed, kernel))
    background = int(np.bincount(mask.ravel()).argmax())
    objects = np.count_nonzero((mask != background) | off)
    count, flat_count = np.count_nonzero(off), np.count_nonzero(flat)
    if count <= tolerance * off.size and (flat_count < _FLAT_AREA or flat_count <= tolerance * objects):
        return
    strange, counts = np.unique(picture[flat if flat_count else off], axis=0, return_counts=True)
    color = tuple(int(value) for value in np.resize(strange[counts.argmax()], 3))
    expected = ", ".join(str(color) for color in color_map.colors_to_class)
    raise MaskError(
        f"mask {path}: {count / off.size:.2%} of its pixels are far from every colour of [mask] rgb_map, "
        f"most often {color}. Expected {expected}. Add the colour to rgb_map, or correct the mask."
    )


def _read_arrays(path: Path, color_map: ColorMap) -> np.ndarray:
    if not path.is_file():
        raise MaskError(f"mask {path} does not exist.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "mask" not in arrays:
                raise MaskError(
                    f"mask {path}: expected the key 'mask', found {', '.join(arrays) or 'nothing'}."
                )
            values = arrays["mask"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise MaskError(f"mask {path} cannot be read as .npz ({error}). Write it again.") from error
    numeric = values.dtype.kind in "buif"
    if numeric and values.ndim == 3 and values.shape[2] > 1:
        if values.shape[2] > color_map.num_classes:
            raise MaskError(
                f"mask {path}: {values.shape[2]} classes in the array, {color_map.num_classes} in rgb_map."
            )
        return values.argmax(axis=2).astype(np.uint8)
    if not numeric or values.ndim not in (2, 3) or values.size == 0:
        raise MaskError(
            f"mask {path}: expected indices H x W or one-hot H x W x classes, found {values.dtype} "
            f"{values.shape}."
        )
    indices = values.reshape(values.shape[:2])
    if values.ndim == 3 and values.dtype.kind == "f":
        indices = indices > 0.5
    if indices.min() < 0 or indices.max() >= color_map.num_classes or (indices != np.floor(indices)).any():
        raise MaskError(
            f"mask {path}: expected class indices 0 to {color_map.num_classes - 1}, found values from "
            f"{indices.min()} to {indices.max()}."
        )
    return indices.astype(np.uint8)
