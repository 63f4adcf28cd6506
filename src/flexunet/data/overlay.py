"""Draw a mask's outline on its image, so that what lies inside stays visible."""

from __future__ import annotations

import cv2
import numpy as np

from flexunet.data.images import to_model_range
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
        image: uint8, uint16 or float32 (0 to 255) array `(H, W)`, `(H, W, 1)` or `(H, W, 3)`.
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
    grey_or_rgb = np.clip(np.rint(to_model_range(image)), 0, 255).astype(np.uint8).reshape(*mask.shape, -1)
    picture = np.repeat(grey_or_rgb, 3, axis=2) if grey_or_rgb.shape[2] == 1 else grey_or_rgb.copy()
    classes = [int(value) for value in np.unique(mask) if value]
    if not classes:
        return picture
    colors = OUTLINE_COLORS if palette is None else np.asarray(palette, np.uint8)
    thickness = max(1, round(max(mask.shape) / 400)) if thickness is None else thickness
    line, edge = _disc(thickness), _disc(thickness + max(1, thickness // 2))
    for value in classes:
        area = (mask == value).astype(np.uint8)
        free = mask != value
        picture[(cv2.dilate(area, edge) > 0) & free] = 0
        # More classes than colours: start over with the first one that is not background.
        color = colors[value] if value < len(colors) else colors[1 + (value - 1) % (len(colors) - 1)]
        picture[(cv2.dilate(area, line) > 0) & free] = color
    return picture


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
