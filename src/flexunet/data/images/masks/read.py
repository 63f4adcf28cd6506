"""Mask files to class indices."""

from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.color_map import IGNORED, RGB_MAP, ColorMap
from flexunet.data.images.files.read import read_alpha, read_palette_indices
from flexunet.data.images.masks.arrays import read_mask_array
from flexunet.data.images.masks.colors import TOLERANCE, fit_colors, strange_colors
from flexunet.data.images.masks.picture import mask_picture
from flexunet.errors import ImageError, MaskError

_OPAQUE = 128  # of 255; an antialiased edge is painted from its middle on


def read_mask(
    path: Path | str,
    color_map: ColorMap,
    *,
    tolerance: float = TOLERANCE,
    threshold: float | None = None,
    setting: str = RGB_MAP,
    grey_range: str = "full",
) -> np.ndarray:
    """Read a mask file as class indices.

    The first rule that fits decides:

    1. `.npz` with the key `mask`: class indices `H x W`, or one-hot `H x W x classes` (the highest counts).
    2. Grey picture, not JPEG, whose values are all below the number of classes and not all colours of the
       map: class indices.
    3. With `threshold`: class 1 where the grey level is above it (`[mask] binarize` of the older dialect).
    4. Colours of the map, the nearest one. So grey 0 and 255 work with a black and white map. A colour that
       is off the map, but clearly of the hue of one entry, stands for it (`fit_colors`).
    5. Palette PNG whose colours are not those of the map, but whose stored values are all below the number
       of classes: class indices.

    Where the map has a colour for ignored pixels, they become `IGNORED`, by whatever rule the others are
    read; stored class indices then hold its grey value or `IGNORED`, and one-hot arrays a row of zeros.

    Args:
        path: The file.
        color_map: Colours of the classes.
        tolerance: Share of pixels that may lie far from every colour (antialiasing, JPEG); 1 accepts all.
        threshold: Grey level from 0 to 255, see rule 3.
        setting: Where the user gives the colours, for messages.
        grey_range: Which values of floating-point files are black and white, `LOW,HIGH`; `full` takes whole
            numbers alone.

    Returns:
        uint8 array `(H, W)`.

    Raises:
        MaskError: if the file cannot be read or its colours or indices do not fit the map.

    Examples:
        >>> colors = flexunet.ColorMap({(0, 0, 0): 0, (255, 255, 255): 1})
        >>> mask = flexunet.read_mask("mask.png", colors)
        >>> mask.shape, mask.dtype
        ((64, 64), dtype('uint8'))
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return read_mask_array(path, color_map, setting)
    try:
        picture = mask_picture(path, grey_range)
    except ImageError as error:
        raise MaskError(f"mask {error}") from error
    if (painted := _painted_in_alpha(path, picture, color_map)) is not None:
        return painted
    ignored = _is_ignored(picture, color_map)
    if picture.ndim == 2 and _holds_indices(path, picture, ignored, color_map):
        return picture if ignored is None else np.where(ignored, np.uint8(IGNORED), picture)
    if threshold is not None:
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        mask = (grey > threshold).astype(np.uint8)
        return mask if ignored is None else np.where(ignored, np.uint8(IGNORED), mask)
    fitted = fit_colors(picture, color_map)
    mask, distances = fitted.encode_with_distance(picture)
    complaint = strange_colors(picture, mask, distances, color_map, tolerance, setting)
    if not complaint:
        return mask
    indices = read_palette_indices(path)
    if indices is not None and color_map.is_index(indices).all():
        return indices
    raise MaskError(f"mask {path}: {complaint}")


def _painted_in_alpha(path: Path, picture: np.ndarray, color_map: ColorMap) -> np.ndarray | None:
    """The mask of a file that is of one colour, and opaque where that is painted; None for any other file.

    Where the colour is that of the background, as black paint, the class is the only other one.

    Raises:
        MaskError: if several classes may be meant.
    """
    if (picture != picture[0, 0]).any():
        return None
    alpha = read_alpha(path)
    if alpha is None or alpha.min() == alpha.max():
        return None
    painted = int(color_map.encode(picture[:1, :1])[0, 0])
    if not painted and color_map.num_classes > 2:
        raise MaskError(
            f"mask {path}: its colour is {picture[0, 0].tolist()} everywhere, that of the background, and "
            "only its alpha (transparency) differs: nothing tells the class. Save it in the classes' colours."
        )
    return np.where(alpha >= _OPAQUE, painted or 1, 0).astype(np.uint8)


def _is_ignored(picture: np.ndarray, color_map: ColorMap) -> np.ndarray | None:
    """Pixels that have the colour of ignored ones, boolean `(H, W)`; None where the map has none."""
    if color_map.ignore is None:
        return None
    if picture.ndim == 3:
        return (picture == np.array(color_map.ignore, np.uint8)).all(axis=2)
    red, *others = color_map.ignore
    return picture == red if others == [red, red] else np.zeros(picture.shape, bool)


def _holds_indices(path: Path, grey: np.ndarray, ignored: np.ndarray | None, color_map: ColorMap) -> bool:
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):  # lossy: small values there are noise
        return False
    values = grey if ignored is None else grey[~ignored]
    if int(values.max(initial=0)) >= color_map.num_classes and not color_map.is_index(values).all():
        return False
    return bool(color_map.distance(np.unique(values)[None]).any())
