"""Smoothing, filling and listing the regions of a mask."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.regions import fill_holes, find_class_regions
from flexunet.errors import ShapeError
from flexunet.review.readings.runs import Box

MOST_RADIUS = 64


def smooth(labels: np.ndarray, box: Box, label: int, radius: float) -> np.ndarray:
    """Round the outline of a class within a box; other classes stay as they are.

    The area of the class is blurred, and a pixel belongs to it where the blurred area is above one half.

    Args:
        labels: The mask, uint8 `(H, W)`.
        box: Where.
        label: The class.
        radius: Standard deviation of the blur, in pixels.

    Returns:
        Labels of the box, uint8 `(height, width)`.

    Raises:
        ShapeError: if the box is not inside the image, or the radius is not above 0 and at most 64.
    """
    box.check((labels.shape[0], labels.shape[1]))
    if not 0 < radius <= MOST_RADIUS:
        raise ShapeError(f"expected a radius above 0 and at most {MOST_RADIUS} pixels, found {radius}.")
    margin = math.ceil(4 * radius)  # what lies beside the box has a part in its blur
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    around = labels[top : box.y + box.height + margin, left : box.x + box.width + margin]
    blurred = cv2.GaussianBlur((around == label).astype(np.float32), (0, 0), radius)
    inside = blurred[Box(box.x - left, box.y - top, box.width, box.height).slices] > 0.5
    part = labels[box.slices].copy()
    part[(part == label) & ~inside] = 0
    part[(part == 0) & inside] = label
    return part


def filled(labels: np.ndarray, label: int) -> np.ndarray:
    """The mask with the background that a class encloses given to that class, uint8 `(H, W)`."""
    changed = labels.copy()
    changed[(labels == 0) & (fill_holes(labels) == label)] = label
    return changed


def components(labels: np.ndarray) -> list[dict[str, Any]]:
    """The lesions of a mask: number from 1, class, box, area in pixels, and column and row of the centre.

    Ignored pixels are none.
    """
    lesions, _ = without_ignored(labels)
    return [
        {
            "id": number,
            "label": region.label,
            "box": {
                "x": region.left,
                "y": region.top,
                "width": region.inside.shape[1],
                "height": region.inside.shape[0],
            },
            "area_px": region.area,
            "centre": [region.centre[1], region.centre[0]],
        }
        for number, region in enumerate(find_class_regions(lesions), start=1)
    ]
