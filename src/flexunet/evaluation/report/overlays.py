"""Pictures of a scored image: what was found, missed and imagined, in colours that all eyes tell apart.

The colours are of Okabe and Ito's palette, chosen so that they stay apart for red-green and blue-yellow
colour blindness, and differ in brightness too. False regions are hatched, so that a grey print still tells.

Source: Okabe, M. & Ito, K. (2008), Color Universal Design.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.regions import find_regions

CORRECT, MISSED, FALSE, CONFUSED = (86, 180, 233), (240, 228, 66), (213, 94, 0), (204, 121, 167)
COLORS = {
    "correct": CORRECT,
    "missed": MISSED,
    "false": FALSE,
    "wrong class": CONFUSED,
}
_STRENGTH = 0.4
_HATCH = 6


def overlay(
    image: NDArray | None, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], side: int = 420
) -> NDArray[np.uint8]:
    """Lay the comparison over the whole image.

    Args:
        image: uint8 or uint16 `(H, W)` or `(H, W, C)`; None where only masks are known.
        truth: Class indices, uint8 `(H, W)`.
        prediction: Class indices, same shape.
        side: Longer side of the picture.

    Returns:
        RGB picture, uint8.
    """
    return _drawn(_grey(image, truth.shape), truth, prediction, side)


def close_up(
    image: NDArray | None, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], side: int = 420
) -> NDArray[np.uint8]:
    """The same around the largest region of truth or prediction, as a square with some room."""
    top, left, length = focus(truth, prediction)
    window = slice(top, top + length), slice(left, left + length)
    return _drawn(_grey(image, truth.shape)[window], truth[window], prediction[window], side)


def focus(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Top, left and side of a square around the largest region, twice as large, inside the image."""
    height, width = truth.shape
    either = (truth > 0) | (prediction > 0)
    areas = find_regions(either)
    if not len(areas):
        return 0, 0, min(height, width)
    x, y, across, down = areas.boxes[areas.largest].tolist()
    length = min(max(2 * max(across, down), 48), height, width)
    top = min(max(0, y + down // 2 - length // 2), height - length)
    left = min(max(0, x + across // 2 - length // 2), width - length)
    return top, left, length


def data_uri(picture: NDArray[np.uint8], quality: int = 82) -> str:
    """A picture as a `data:` address, so that a page needs no other file."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _grey(image: NDArray | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The image as grey levels of the masks' size, 16 bit stretched to what it holds."""
    if image is None:
        return np.full(shape, 40, np.uint8)
    plane = image if image.ndim == 2 else image.mean(axis=2, dtype=np.float32)
    if image.dtype == np.uint8:
        grey = plane.astype(np.uint8)
    else:
        low, high = float(plane.min()), float(np.quantile(plane, 0.999))
        grey = (np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    if grey.shape != shape:
        return np.asarray(cv2.resize(grey, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    return grey


def _drawn(
    grey: NDArray[np.uint8], truth: NDArray[np.uint8], prediction: NDArray[np.uint8], side: int
) -> NDArray[np.uint8]:
    height, width = grey.shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shrinking = scale < 1
    picture = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    rgb = np.repeat(picture[..., None], 3, axis=2).astype(np.float32)
    true, predicted = (
        np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        for mask in (truth, prediction)
    )
    rows, columns = np.indices(true.shape)
    hatched = (rows + columns) % _HATCH < 2
    for name, region in regions(true, predicted).items():
        color = np.array(COLORS[name], np.float32)
        strength = np.where(hatched, 0.85, 0.25) if name in ("false", "wrong class") else _STRENGTH
        blended = rgb + (color - rgb) * np.broadcast_to(strength, region.shape)[..., None]
        rgb = np.where(region[..., None], blended, rgb)
        outline = region & ~cv2.erode(region.view(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        rgb[outline] = color
    return rgb.round().astype(np.uint8)


def regions(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Where the prediction is right and wrong; every pixel of a lesion or a prediction is in one of them."""
    true, predicted = truth > 0, prediction > 0
    return {
        "correct": true & (truth == prediction),
        "missed": true & ~predicted,
        "false": predicted & ~true,
        "wrong class": true & predicted & (truth != prediction),
    }
