"""Lesions of a label volume: connected components of one class in three dimensions, and their measures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from flexunet.data.images.regions import Box3, find_bodies
from flexunet.inference.outputs.lesions import outline_corners


@dataclass(frozen=True)
class VolumeLesion:
    """One lesion; positions are voxels of the volume, whose first voxel has its centre at (0, 0, 0).

    Attributes:
        lesion: Its number in the volume, from 1, in the order of classes.
        label: Class index.
        voxels: Voxels.
        volume_mm3: Cubic millimetres; this and the axes are None where no voxel size is known.
        slices: Slices that it is seen on.
        first_slice: The first of them, from 0.
        last_slice: The last.
        long_axis_mm: Greatest distance between two of its points, voxel edges included.
        slice_axis_mm: Greatest distance between two of its points on one slice (as RECIST 1.1 measures).
        mean_probability: Mean probability of its class over its voxels.
        max_probability: Greatest.
        x: Its centre of mass along the first axis of the file.
        y: Along the second.
        z: Along the third.
    """

    lesion: int
    label: int
    voxels: int
    volume_mm3: float | None
    slices: int
    first_slice: int
    last_slice: int
    long_axis_mm: float | None
    slice_axis_mm: float | None
    mean_probability: float
    max_probability: float
    x: float
    y: float
    z: float


VOLUME_LESION_COLUMNS = tuple(field.name for field in fields(VolumeLesion))


def measure_bodies(
    labels: np.ndarray, certainty: np.ndarray, spacing: tuple[float, float, float] | None, depth: int
) -> list[dict[str, Any]]:
    """Measure the lesions of a label volume.

    Args:
        labels: Class indices, uint8 `(X, Y, Z)`.
        certainty: Probability of the class that each voxel has, float, same shape.
        spacing: Size of a voxel in mm, x, y, z; None where it is unknown.
        depth: The axis that slices follow.

    Returns:
        `VolumeLesion` rows, ready for JSON.
    """
    size = np.array(spacing or (1.0, 1.0, 1.0))
    rows = [
        asdict(_measured(number, label, box, inside, certainty[box], size, depth))
        for number, (label, box, inside) in enumerate(find_bodies(labels), start=1)
    ]
    unknown = dict.fromkeys(() if spacing else ("volume_mm3", "long_axis_mm", "slice_axis_mm"))
    return [row | unknown for row in rows]


def _measured(
    number: int,
    label: int,
    box: Box3,
    inside: np.ndarray,
    certainty: np.ndarray,
    spacing: np.ndarray,
    depth: int,
) -> VolumeLesion:
    count = int(np.count_nonzero(inside))
    slices = np.moveaxis(inside, depth, 0)
    seen = np.flatnonzero(slices.any(axis=(1, 2)))
    # Corners on a slice are columns and rows, which are the later and the earlier of the other two axes.
    row_mm, column_mm = np.delete(spacing, depth)
    outlines = [outline_corners(slices[index]) * (column_mm, row_mm) for index in seen]
    points = np.concatenate(
        [
            np.column_stack([outline, np.full(len(outline), edge * spacing[depth])])
            for index, outline in zip(seen, outlines, strict=True)
            for edge in (index, index + 1)
        ]
    )
    # By the number of voxels in each plane: a list of all voxels of a large body takes gigabytes.
    planes = [inside.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1))]
    centre = [
        axis.start + float(np.arange(len(voxels)) @ voxels) / count
        for axis, voxels in zip(box, planes, strict=True)
    ]
    return VolumeLesion(
        lesion=number,
        label=label,
        voxels=count,
        volume_mm3=round(count * float(spacing.prod()), 4),
        slices=len(seen),
        first_slice=box[depth].start + int(seen[0]),
        last_slice=box[depth].start + int(seen[-1]),
        long_axis_mm=round(float(pdist(points[ConvexHull(points).vertices]).max()), 3),
        slice_axis_mm=round(max(float(pdist(outline).max()) for outline in outlines), 3),
        mean_probability=round(float(certainty.mean(where=inside, dtype=np.float64)), 6),
        max_probability=round(float(certainty.max(where=inside, initial=0)), 6),
        x=round(centre[0], 3),
        y=round(centre[1], 3),
        z=round(centre[2], 3),
    )
