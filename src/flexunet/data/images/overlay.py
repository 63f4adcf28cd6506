"""Draw a mask's outline on its image, so that what lies inside stays visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import product

import cv2
import numpy as np

from flexunet.data.images.masks.indices import foreground_classes
from flexunet.data.images.pixels import as_picture, to_model_range
from flexunet.errors import ShapeError

# Okabe, M. and Ito, K. (2008), Color Universal Design: told apart by people with any kind of colour vision.
# The first entry is the background's and is never drawn.
OUTLINE_COLORS = np.array(
    [
        (0, 0, 0),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (213, 94, 0),
        (204, 121, 167),
        (0, 114, 178),
    ],
    np.uint8,
)


def draw_overlay(
    image: np.ndarray, mask: np.ndarray, palette: np.ndarray | None = None, thickness: int | None = None
) -> np.ndarray:
    """Draw the outline of each class of a mask on an image.

    The line runs around the area, outside of it, and has a dark edge so that it shows on bright tissue too.

    Args:
        image: uint8, uint16 or float32 (0 to 255) array `(H, W)` or `(H, W, C)`; see `as_picture`.
        mask: Class indices, uint8 array `(H, W)`.
        palette: Colour of each class, uint8 array `(classes, 3)`; colour-blind-safe ones when left out.
        thickness: Pixels; about a 400th of the longer side when left out.

    Returns:
        RGB picture, uint8 array `(H, W, 3)`; the image is not changed.

    Raises:
        ShapeError: if image and mask differ in size.
    """
    if image.shape[:2] != mask.shape:
        raise ShapeError(
            f"expected image and mask of one size, found image {image.shape[:2]} and mask {mask.shape}"
        )
    picture = _eight_bit_rgb(image)
    colors = OUTLINE_COLORS if palette is None else np.asarray(palette, np.uint8)
    thickness = max(1, round(max(mask.shape) / 400)) if thickness is None else thickness
    reach = thickness + max(1, thickness // 2)
    line, edge = _disc(thickness), _disc(reach)
    for value in foreground_classes(mask):
        # More classes than colours: start over with the first one that is not background.
        color = colors[value] if value < len(colors) else colors[1 + (value - 1) % (len(colors) - 1)]
        box = _around(mask == value, reach)
        area = (mask[box] == value).view(np.uint8)
        part = picture[box]
        part[(cv2.dilate(area, edge) > area)] = 0
        part[(cv2.dilate(area, line) > area)] = color
    return picture


def _eight_bit_rgb(image: np.ndarray) -> np.ndarray:
    """A copy as uint8 `(H, W, 3)`, without a picture of floats in between: films have ten million pixels."""
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)  # rounds
    elif image.dtype != np.uint8:
        image = np.clip(np.rint(to_model_range(image)), 0, 255).astype(np.uint8)
    image = as_picture(image) if image.ndim == 3 else image
    if image.ndim == 3 and image.shape[2] == 3:
        return image.copy()
    return cv2.cvtColor(image.reshape(image.shape[:2]), cv2.COLOR_GRAY2RGB)


def _around(area: np.ndarray, reach: int) -> tuple[slice, slice]:
    """The box of an area with room for a line around it: rows and columns."""
    left, top, width, height = cv2.boundingRect(area.view(np.uint8))
    rows = slice(max(0, top - reach), min(area.shape[0], top + height + reach))
    return rows, slice(max(0, left - reach), min(area.shape[1], left + width + reach))


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


# Lengths of a scale bar, in mm: the longest that takes no more than a third of the width.
_BAR_LENGTHS = (200, 100, 50, 20, 10, 5, 2, 1)
_LEAST_SIDE = 160  # pixels; letters hide smaller pictures
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)


def draw_key(
    picture: np.ndarray, mask: np.ndarray, names: Sequence[str], spacing: tuple[float, float] | None
) -> np.ndarray:
    """Name the classes of a picture of `draw_overlay`, and draw a scale bar where its scale is known.

    Args:
        picture: RGB picture, uint8 `(H, W, 3)`; changed in place. Pictures of fewer than 160 pixels stay.
        mask: Class indices, uint8 `(H, W)`; only classes that it has are named.
        names: Names of the classes above background.
        spacing: Height and width of a pixel in mm; none where nothing tells.

    Returns:
        The picture.
    """
    height, width = mask.shape
    if min(height, width) < _LEAST_SIDE:
        return picture
    size = max(9, round(max(height, width) / 70))
    bottom = height - size
    for value in reversed(foreground_classes(mask)):
        name = names[value - 1] if value <= len(names) else f"class {value}"
        color = OUTLINE_COLORS[value if value < len(OUTLINE_COLORS) else 1 + (value - 1) % 7].tolist()
        cv2.rectangle(picture, (size, bottom - size), (2 * size, bottom), color, cv2.FILLED)
        _write(picture, name, (round(2.5 * size), bottom), size)
        bottom -= round(1.8 * size)
    if spacing:
        length = next((each for each in _BAR_LENGTHS if each / spacing[1] <= width / 3), None)
        if length:
            left = width - size - round(length / spacing[1])
            cv2.rectangle(
                picture, (left, height - size - size // 3), (width - size, height - size), _WHITE, -1
            )
            _write(picture, f"{length} mm", (left, height - round(1.8 * size)), size)
    return picture


def drawn_letters(text: str) -> str:
    """Text in the letters of ASCII, which OpenCV has alone: accents are dropped, other scripts become `?`."""
    parts = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return (
        "".join(sign for sign in parts if not unicodedata.combining(sign)).encode("ascii", "replace").decode()
    )


def _write(picture: np.ndarray, text: str, corner: tuple[int, int], size: int) -> None:
    """Letters of a height in pixels, white with a dark edge."""
    scale = cv2.getFontScaleFromHeight(_FONT, size, 1)
    plain = drawn_letters(text)
    line = max(1, size // 10)
    x, y = corner
    # Thicker letters would be wider ones, so the edge is the same letters moved to all sides.
    for right, down in product((-line, 0, line), repeat=2):
        cv2.putText(picture, plain, (x + right, y + down), _FONT, scale, (0, 0, 0), line, cv2.LINE_AA)
    cv2.putText(picture, plain, corner, _FONT, scale, _WHITE, line, cv2.LINE_AA)
