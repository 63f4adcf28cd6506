"""Class indices in memory: their classes, their ignored pixels, another size."""

import cv2
import numpy as np

from flexunet.data.images.color_map import IGNORED


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize class indices by nearest neighbour: no class appears that was not there."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def without_ignored(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A mask with its ignored pixels as background, and where they are; the mask itself and None without any.

    Args:
        mask: Class indices, uint8 `(H, W)`, of fewer than 256 classes.
    """
    ignored = mask == IGNORED
    if not ignored.any():
        return mask, None
    return np.where(ignored, np.uint8(0), mask), ignored


def foreground_classes(mask: np.ndarray) -> list[int]:
    """Classes other than 0 that a mask has, uint8 `(H, W)`, without a wider copy as `bincount` makes."""
    histogram = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256]).ravel()
    return (np.flatnonzero(histogram[1:]) + 1).tolist()
