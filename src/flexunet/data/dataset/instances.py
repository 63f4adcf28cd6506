"""Lesions that touch or overlap, told apart by a number: a file beside the mask.

    masks/NAME.png         the class of each pixel
    instances/NAME.png     the number of the lesion of each pixel, 0 for none

The second file is there only where connected components would take several lesions for one. A pixel of two
lesions belongs to the smaller one; a lesion that lies wholly within another of its class is part of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.files.names import image_stem
from flexunet.data.images.label_values import read_label_values
from flexunet.data.images.masks.indices import foreground_classes
from flexunet.data.images.regions import find_regions
from flexunet.errors import MaskError

FOLDER = "instances"
_BESIDE = ("masks", "mask")
_MOST = 255
_WITHIN = 0.99  # of a lesion's pixels


def number_lesions(
    mask: np.ndarray, lesions: Iterable[tuple[int, tuple[slice, slice], np.ndarray]]
) -> np.ndarray | None:
    """Numbers of lesions; None where connected components tell them apart, or there are more than 255.

    Args:
        mask: Class indices, uint8 `(H, W)`.
        lesions: Class, rows and columns, and pixels within them (bool) of each lesion; what of the mask is in
            none of them is numbered by components.

    Returns:
        uint8 `(H, W)`.
    """
    parts = [part for part in lesions if part[2].any()]
    if len(parts) < 2:
        return None
    numbers, count = np.zeros(mask.shape, np.uint16), 0
    for label, box, inside in sorted(parts, key=lambda part: -int(part[2].sum())):
        place, area = numbers[box], inside & (mask[box] == label)
        covered = np.bincount(place[area])
        if area.any() and covered[1:].max(initial=0) < _WITHIN * area.sum():
            regions = find_regions(area)  # what was apart stays apart
            place[area] = regions.labels[area] + count
            count += len(regions)
            if count > _MOST:
                return None
    left, top, width, height = cv2.boundingRect(mask)  # films are large and lesions small
    box = slice(top, top + height), slice(left, left + width)
    busy, own = mask[box], numbers[box]
    for label in foreground_classes(busy):
        rest = (busy == label) & (own == 0)
        if rest.any():
            regions = find_regions(rest)
            own[rest] = regions.labels[rest] + count
            count += len(regions)
    return numbers.astype(np.uint8) if count <= _MOST and _tell_more(busy, own) else None


def fit_instances(numbers: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Numbers for a mask that was resized with them; None where they tell no more than components do.

    Args:
        numbers: uint8 `(H, W)`, resized.
        mask: Class indices, uint8 `(H, W)`; its pixels without a number get the nearest one.
    """
    from scipy import ndimage

    missing = (mask > 0) & (numbers == 0)
    if missing.any() and numbers.any():
        rows, columns = ndimage.distance_transform_edt(
            numbers == 0, return_distances=False, return_indices=True
        )
        numbers = np.where(missing, numbers[rows, columns], numbers)
    numbers = np.where(mask > 0, numbers, 0).astype(np.uint8)
    return numbers if _tell_more(mask, numbers) else None


def instance_file(mask: Path) -> Path | None:
    """Where the numbers of a mask's lesions are, if they are anywhere; None for masks in other folders."""
    if mask.parent.name not in _BESIDE:
        return None
    return mask.parent.with_name(FOLDER) / f"{image_stem(mask)}.png"


def read_instances(mask: Path, truth: np.ndarray) -> np.ndarray | None:
    """Numbers of a mask's lesions, uint8 `(H, W)`; None without such a file.

    Args:
        mask: The file of the mask.
        truth: The mask as it was read.

    Raises:
        MaskError: if the file cannot be read, or has another size.
    """
    path = instance_file(mask)
    if path is None or not path.is_file():
        return None
    numbers = read_label_values(path)
    if numbers.shape != truth.shape:
        raise MaskError(
            f"{path} has {numbers.shape[1]} x {numbers.shape[0]} pixels, its mask {mask} has "
            f"{truth.shape[1]} x {truth.shape[0]}. Derive again, or remove it."
        )
    return numbers


def cut_out(area: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """Rows and columns of what a bool array `(H, W)` marks, and its part within them."""
    left, top, width, height = cv2.boundingRect(area.view(np.uint8))
    box = slice(top, top + height), slice(left, left + width)
    return box, area[box]


def _tell_more(mask: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether some component of a class has several numbers."""
    for label in foreground_classes(mask):
        regions = find_regions(mask == label)
        inside = (regions.labels > 0) & (numbers > 0)
        component, number = regions.labels[inside], numbers[inside]
        one = np.zeros(len(regions) + 1, numbers.dtype)
        one[component] = number
        if (one[component] != number).any():
            return True
    return False
