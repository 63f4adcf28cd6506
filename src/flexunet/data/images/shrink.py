"""Make masks smaller without mixing classes and without losing a lesion."""

from __future__ import annotations

import cv2
import numpy as np

from flexunet.data.images.regions import find_regions


def shrink_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize class indices to `width` x `height` by the class that covers most of each pixel."""
    if mask.shape == (height, width):
        return mask.copy()
    classes = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    if len(classes) == 1:
        return np.full((height, width), classes[0], np.uint8)
    if width > mask.shape[1] or height > mask.shape[0]:
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    # Shares in 255ths; whatever no lesion covers is the lowest class, mostly background.
    rest = np.full((height, width), 255, np.int16)
    best, resized = np.zeros((height, width), np.int16), np.full((height, width), classes[0], np.uint8)
    for value in classes[1:]:
        area = (mask == value).astype(np.uint8) * np.uint8(255)
        share = cv2.resize(area, (width, height), interpolation=cv2.INTER_AREA).astype(np.int16)
        rest -= share
        wins = share > best
        resized[wins], best[wins] = value, share[wins]
    resized[rest >= best] = classes[0]
    for value in (value for value in classes if value):
        _keep_small_lesions(mask == value, value, resized)
    return resized


def lesion_positions(area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of what is not 0, searched in its bounding box: films are large and lesions small."""
    left, top, width, height = cv2.boundingRect((area != 0).astype(np.uint8))
    rows, columns = np.nonzero(area[top : top + height, left : left + width])
    return rows + top, columns + left


def _keep_small_lesions(area: np.ndarray, value: int, resized: np.ndarray) -> None:
    """Mark the middle of each lesion that has no pixel in the resized mask."""
    rows, columns = lesion_positions(area)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    regions = find_regions(area[box])
    count = len(regions) + 1
    label = regions.labels[rows - rows.min(), columns - columns.min()]
    height, width = resized.shape
    small_rows, small_columns = rows * height // area.shape[0], columns * width // area.shape[1]
    seen = np.zeros(count, bool)
    seen[label[resized[small_rows, small_columns] == value]] = True
    lost = np.flatnonzero(~seen[1:]) + 1
    if not len(lost):
        return
    sizes = np.maximum(np.bincount(label, minlength=count), 1)
    middle_row = (np.bincount(label, small_rows, count) / sizes).round().astype(int)
    middle_column = (np.bincount(label, small_columns, count) / sizes).round().astype(int)
    resized[middle_row[lost], middle_column[lost]] = value
