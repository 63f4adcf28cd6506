"""Lesions of a predicted mask, each a region of one class, and their measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flexunet.data.images.regions import ClassRegion, drop_small, fill_holes, find_class_regions
from flexunet.data.tables import write_rows

if TYPE_CHECKING:
    from flexunet.config.run_sections import InferSection

Spacing = tuple[float, float]


@dataclass(frozen=True)
class Lesion:
    """One lesion; positions are in pixels of the image, pixel (0, 0) has its centre at (0, 0).

    Attributes:
        lesion: Its number in the image, from 1, in the order of classes and from the top.
        label: Class index.
        area_px: Pixels.
        area_mm2: Square millimetres; None where the pixel spacing is unknown.
        long_axis_px: Greatest distance between two points of its outline, pixel edges included.
        long_axis_mm: The same in mm; None where the spacing is unknown.
        short_axis_px: Greatest extent at right angles to the long axis, pixel edges included.
        short_axis_mm: The same in mm; None where the spacing is unknown.
        mean_probability: Mean probability of its class over its pixels.
        max_probability: Greatest.
        x: Column of its centre of mass.
        y: Row of its centre of mass.
        box_x: First column.
        box_y: First row.
        box_width: Columns.
        box_height: Rows.
        mean_uncertainty: Mean uncertainty over its pixels; None where none was asked for.
    """

    lesion: int
    label: int
    area_px: int
    area_mm2: float | None
    long_axis_px: float
    long_axis_mm: float | None
    mean_probability: float
    max_probability: float
    x: float
    y: float
    box_x: int
    box_y: int
    box_width: int
    box_height: int
    mean_uncertainty: float | None = None
    short_axis_px: float | None = None
    short_axis_mm: float | None = None


def clean_mask(mask: np.ndarray, rules: InferSection, spacing: Spacing | None = None) -> np.ndarray:
    """Fill holes and drop small lesions, as `[infer]` says.

    Args:
        mask: Class indices, uint8 `(H, W)`.
        rules: fill_holes, min_lesion_pixels, min_lesion_mm2.
        spacing: Height and width of a pixel in mm; where it is unknown, min_lesion_mm2 has no effect.

    Returns:
        The mask, a copy where anything changed.
    """
    if rules.fill_holes:
        mask = fill_holes(mask)
    least = float(rules.min_lesion_pixels)
    if spacing is not None:
        least = max(least, rules.min_lesion_mm2 / (spacing[0] * spacing[1]))
    return drop_small(mask, least) if least > 1 else mask


def measure_lesions(
    mask: np.ndarray,
    probabilities: np.ndarray | None = None,
    spacing: Spacing | None = None,
    uncertainty: np.ndarray | None = None,
) -> list[Lesion]:
    """Measure the lesions of a mask.

    Args:
        mask: Class indices, uint8 `(H, W)`.
        probabilities: Float32 `(H, W, classes)`, one channel that of class 1; None counts as certain.
        spacing: Height and width of a pixel in mm, where it is known.
        uncertainty: Float32 `(H, W)`, where it is known.

    Returns:
        Lesions by class, from the top.
    """
    return [
        _measured(number, region, probabilities, spacing, uncertainty)
        for number, region in enumerate(find_class_regions(mask), start=1)
    ]


def _measured(
    number: int,
    region: ClassRegion,
    probabilities: np.ndarray | None,
    spacing: Spacing | None,
    uncertainty: np.ndarray | None,
) -> Lesion:
    if probabilities is None:
        values = np.ones(1)
    else:
        channel = region.label if probabilities.shape[-1] > 1 else 0
        values = region.of(probabilities)[..., channel][region.inside].astype(np.float64)
    corners = outline_corners(region.inside)
    height, width = region.inside.shape
    long_px, short_px = long_and_short_axis(corners)
    long_mm, short_mm = long_and_short_axis(corners * spacing[::-1]) if spacing else (None, None)
    return Lesion(
        lesion=number,
        label=region.label,
        area_px=region.area,
        area_mm2=round(region.area * spacing[0] * spacing[1], 4) if spacing else None,
        long_axis_px=long_px,
        long_axis_mm=long_mm,
        mean_probability=round(float(values.mean()), 6),
        max_probability=round(float(values.max()), 6),
        x=round(region.centre[1], 3),
        y=round(region.centre[0], 3),
        box_x=region.left,
        box_y=region.top,
        box_width=width,
        box_height=height,
        mean_uncertainty=None
        if uncertainty is None
        else round(float(region.of(uncertainty)[region.inside].mean(dtype=np.float64)), 6),
        short_axis_px=short_px,
        short_axis_mm=short_mm,
    )


def outline_corners(inside: np.ndarray) -> np.ndarray:
    """Pixel corners that span the convex hull of an area, float64 `(n, 2)` as x, y; pixel 0 from 0 to 1."""
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside.argmax(axis=1)[rows]
    last = inside.shape[1] - inside[:, ::-1].argmax(axis=1)[rows]
    ends = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)])
    corners = np.concatenate([ends, ends + np.array([0, 1])]).astype(np.int32)
    return cv2.convexHull(corners).reshape(-1, 2).astype(np.float64)


def long_and_short_axis(points: np.ndarray) -> tuple[float, float]:
    """Greatest distance of two points, and the extent of all at right angles to it, to a thousandth.

    Args:
        points: Float64 `(n, 2)`, at least two of them apart.
    """
    first, second = np.triu_indices(len(points), 1)
    # A hull has few corners; importing scipy.spatial takes longer than predicting an image.
    distances = np.linalg.norm(points[second] - points[first], axis=1)
    longest = int(distances.argmax())
    along = (points[second[longest]] - points[first[longest]]) / distances[longest]
    across = points @ np.array([-along[1], along[0]])
    return round(float(distances[longest]), 3), round(float(np.ptp(across)), 3)


LESION_COLUMNS = tuple(field.name for field in fields(Lesion))


def write_lesion_table(
    path: Path,
    lesions_by_file: Iterable[tuple[str, list[dict[str, Any]]]],
    columns: Sequence[str] = LESION_COLUMNS,
) -> None:
    """Write one row a lesion: the file, then the attributes of `Lesion`; empty where nothing is known.

    An earlier version measured no short axis.

    Args:
        path: The CSV file.
        lesions_by_file: Name of each file, and its lesions as `lesion_rows` gives them.
        columns: The attributes, where lesions are of another kind.
    """
    rows = (
        [name, *(lesion.get(column) for column in columns)]
        for name, lesions in lesions_by_file
        for lesion in lesions
    )
    write_rows(path, ("file", *columns), rows)


_DOUBT = ("confidence", "entropy")


def write_image_table(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one row an image: file, mask, size, lesions, in what it is unlike the training images, doubt.

    Confidence and entropy are empty for images that an earlier version predicted.
    """
    first = ("file", "mask", "width", "height", "foreground_pixels")
    rows = (
        [
            *(record[name] for name in first),
            len(record["lesions"]),
            record["unlike_training"],
            *(record.get(name) for name in _DOUBT),
        ]
        for record in records
    )
    write_rows(path, (*first, "lesions", "unlike_training", *_DOUBT), rows)


def lesion_rows(lesions: Iterable[Lesion]) -> list[dict[str, Any]]:
    """Lesions as rows of the table, ready for JSON."""
    return [asdict(lesion) for lesion in lesions]
