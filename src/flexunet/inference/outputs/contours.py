"""Outlines of predicted lesions as COCO JSON, exact to the pixel.

An outline runs along the edges of pixels: its corners are whole numbers, pixel (0, 0) reaches from 0 to 1
(the convention of COCO), the area it encloses is the number of pixels, and filling it gives back the mask.
COCO has no polygon with a hole; a hole is joined to the outline by a cut of no width, walked both ways,
which leaves the filling as it is under the even-odd and under the winding rule. A lesion riddled with holes,
as a model sees it that has not learned yet, is given by COCO's run lengths instead: its outline would be
walked anew for each hole.

Source: Lin et al. (2014), Microsoft COCO, arXiv:1405.0312; format at cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flexunet.data.images.regions import ClassRegion, count_holes, find_class_regions
from flexunet.files import write_text
from flexunet.inference.outputs.lesions import Lesion
from flexunet.version import __version__

_MOST_HOLES = 200  # of an outline


def outline_of(inside: np.ndarray) -> np.ndarray:
    """The outline of a connected area, holes joined to it.

    Args:
        inside: Bool `(H, W)`, one component of 8 neighbours.

    Returns:
        Corners x, y, int32 `(n, 2)`; the last is joined to the first.
    """
    # Each pixel becomes 2 x 2, so that every corner of it has a pixel of its own, which the contour visits:
    # pixel 2i stands for the left edge of pixel i, 2i + 1 for the right one.
    twice = np.repeat(np.repeat(inside.view(np.uint8), 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [_straightened((ring.reshape(-1, 2) + 1) // 2) for ring in found]
    rings.sort(key=_enclosed, reverse=True)
    outline = rings[0]
    for hole in rings[1:]:
        outline = _with_hole(outline, hole)
    return outline


def fill_outline(outline: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fill an outline made by `outline_of`: bool `(height, width)`.

    Every vertical edge adds to the winding number of the pixels to its right; a cut is walked both ways and
    adds nothing.
    """
    start, end = outline, np.roll(outline, -1, axis=0)
    vertical = (start[:, 0] == end[:, 0]) & (start[:, 1] != end[:, 1])
    change = np.zeros((height + 1, width + 1), np.int32)
    np.add.at(change, (start[vertical, 1], start[vertical, 0]), 1)
    np.add.at(change, (end[vertical, 1], end[vertical, 0]), -1)
    return change.cumsum(axis=0).cumsum(axis=1)[:height, :width] != 0


def run_lengths(region: ClassRegion, height: int, width: int) -> list[int]:
    """COCO's run lengths of a region: pixels outside, inside, outside, ..., column by column.

    Args:
        region: The region.
        height: Of the image.
        width: Of the image.
    """
    plane = np.zeros((height, width), bool)
    region.of(plane)[region.inside] = True
    by_column = plane.ravel(order="F")
    changes = np.flatnonzero(by_column[1:] != by_column[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [by_column.size]])).tolist()
    return [0, *runs] if by_column[0] else runs


def coco_annotations(mask: np.ndarray, lesions: Sequence[Lesion]) -> list[dict[str, Any]]:
    """COCO annotations of one image, one a lesion, without `id` and `image_id`.

    Args:
        mask: Class indices, uint8 `(H, W)`.
        lesions: Its lesions, as `measure_lesions` gives them.
    """
    return [
        _annotation(region, lesion, *mask.shape)
        for region, lesion in zip(find_class_regions(mask), lesions, strict=True)
    ]


def write_coco(
    path: Path,
    images: Iterable[tuple[str, int, int, list[dict[str, Any]]]],
    class_names: Sequence[str],
    description: str = f"Predicted by FlexUNet {__version__}",
) -> None:
    """Write COCO JSON.

    Args:
        path: The file.
        images: File name, width, height and annotations of each image.
        class_names: Names of classes 1 and up; the category of a class has its index.
        description: Where the masks come from.
    """
    document: dict[str, Any] = {
        "info": {"description": description, "version": "1.0"},
        "images": [],
        "annotations": [],
        "categories": [
            {"id": index, "name": name, "supercategory": "lesion"}
            for index, name in enumerate(class_names, start=1)
        ],
    }
    for number, (name, width, height, outlined) in enumerate(images, start=1):
        document["images"].append({"id": number, "file_name": name, "width": width, "height": height})
        for annotation in outlined:
            identity = {"id": len(document["annotations"]) + 1, "image_id": number}
            document["annotations"].append(identity | annotation)
    write_text(path, json.dumps(document, ensure_ascii=False) + "\n")


def _annotation(region: ClassRegion, lesion: Lesion, height: int, width: int) -> dict[str, Any]:
    segmentation: Any
    if _is_riddled(region):
        segmentation = {"size": [height, width], "counts": run_lengths(region, height, width)}
    else:
        outline = outline_of(region.inside) + np.array([region.left, region.top])
        segmentation = [outline.ravel().tolist()]
    return {
        "category_id": region.label,
        "segmentation": segmentation,
        "area": region.area,
        "bbox": [lesion.box_x, lesion.box_y, lesion.box_width, lesion.box_height],
        "iscrowd": 0,
        "score": lesion.mean_probability,
    }


def _is_riddled(region: ClassRegion) -> bool:
    """Whether a region has more holes than its outline is walked around for."""
    outside = region.inside.size - region.area
    return outside > _MOST_HOLES and count_holes(region.inside) > _MOST_HOLES


def _straightened(corners: np.ndarray) -> np.ndarray:
    """Drop repeated corners, and those between two others on one line."""
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    return corners[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _enclosed(ring: np.ndarray) -> int:
    """Area of the bounding box: the outer ring's is greater than that of any hole."""
    return int(np.prod(np.ptp(ring, axis=0)))


def _with_hole(outline: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Walk to the nearest corner of a hole, around it, and back."""
    start = int(np.square(hole - hole.min(axis=0)).sum(axis=1).argmin())
    ring = np.roll(hole, -start, axis=0)
    near = int(np.square(outline - ring[0]).sum(axis=1).argmin())
    walk = np.concatenate([outline[: near + 1], ring, ring[:1], outline[near:]])
    return walk.astype(np.int32)
