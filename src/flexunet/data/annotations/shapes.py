"""Lesions outlined by people: circles, polygons and run lengths, and the masks that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from skimage.measure import points_in_poly

from flexunet.errors import MaskError

Point = tuple[float, float]

_SHIFT = 8  # bits that OpenCV takes for fractions of a pixel
_FRAME = 4
_FARTHEST = 1 << 22  # pixels; farther corners have no place in its 32 bits

ANNOTATED, NORMAL, UNKNOWN = "annotated", "normal", "unknown"


@dataclass(frozen=True)
class Circle:
    """A filled circle: centre and radius in pixels of the annotation's frame, x to the right, y down."""

    x: float
    y: float
    radius: float
    label: str = ""


@dataclass(frozen=True)
class Polygon:
    """A filled polygon: corners in pixels of the annotation's frame, x to the right, y down."""

    points: tuple[Point, ...]
    label: str = ""


@dataclass(frozen=True)
class Runs:
    """A mask as COCO run lengths: column by column, background first."""

    counts: tuple[int, ...]
    width: int
    height: int
    label: str = ""


@dataclass(frozen=True)
class FilmAnnotation:
    """What is known of one film.

    Attributes:
        state: `annotated` (has shapes), `normal` (known to have no lesion) or `unknown` (abnormal, but nobody
            says where).
        shapes: Outlines of its lesions.
        width: Width of the frame in which coordinates count; that of the film when None.
        height: Height of that frame.
        on_centres: Whether a whole number names the middle of a pixel (mini-MIAS) and not its corner.
        reason: Why the state is `unknown`.
        columns: Further facts for the manifest.
    """

    state: str
    shapes: tuple[Circle | Polygon | Runs, ...] = ()
    width: int | None = None
    height: int | None = None
    on_centres: bool = False
    reason: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    def rasterise(self, width: int, height: int, classes: Mapping[str, int] | None = None) -> np.ndarray:
        """Draw the shapes as a mask of a film: a pixel belongs to a shape if its middle does.

        Args:
            width: Pixels of the film; the frame is scaled to it.
            height: Pixels of the film.
            classes: Class index of each label; every label is class 1 when left out.

        Returns:
            Class indices, uint8 array `(height, width)`; where shapes overlap, the later one counts.

        Raises:
            MaskError: if the state is `unknown`, a label has no class, or the frame has other proportions.
        """
        if self.state == UNKNOWN:
            raise MaskError(f"the lesions of this film were never outlined ({self.reason}): it has no mask.")
        frame_width, frame_height = self.width or width, self.height or height
        # Half a percent is what rounding to whole pixels may change.
        if abs(frame_width * height - frame_height * width) > 0.005 * frame_width * height:
            raise MaskError(
                f"the outlines were drawn on {frame_width} x {frame_height} pixels, but the film has "
                f"{width} x {height}: the proportions differ. Use the film that was outlined."
            )
        mask = np.zeros((height, width), np.uint8)
        scale = width / frame_width, height / frame_height
        for shape in self.shapes:
            _draw(mask, shape, scale, 0.5 if self.on_centres else 0.0, _class_of(shape.label, classes))
        return mask


def _draw(mask: np.ndarray, shape: Circle | Polygon | Runs, scale: Point, offset: float, value: int) -> None:
    height, width = mask.shape
    if isinstance(shape, Runs):
        mask[_runs_to_area(shape, width, height)] = value
        return
    # Below, the middle of a pixel is at (row, column) itself; its corner lies half a pixel before.
    if isinstance(shape, Circle):
        x, y = (shape.x + offset) * scale[0] - 0.5, (shape.y + offset) * scale[1] - 0.5
        across, down = shape.radius * scale[0], shape.radius * scale[1]
        rows = np.arange(max(0, int(np.floor(y - down))), min(height, int(np.ceil(y + down)) + 1))
        columns = np.arange(max(0, int(np.floor(x - across))), min(width, int(np.ceil(x + across)) + 1))
        if not len(rows) or not len(columns) or min(across, down) <= 0:
            return
        inside = ((columns[None, :] - x) / across) ** 2 + ((rows[:, None] - y) / down) ** 2 <= 1 + 1e-9
        mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = value
        return
    _fill((np.asarray(shape.points, np.float64) + offset) * scale - 0.5, mask, value)


def _fill(corners: np.ndarray, mask: np.ndarray, value: int) -> None:
    """Set the pixels whose middles lie within or on a polygon, even-odd, as `skimage.draw.polygon` does.

    OpenCV fills the polygon, but takes every pixel that an edge touches. So the pixels near an edge are
    compared with every edge; `skimage.draw.polygon` does that with every pixel of the polygon's box.

    Args:
        corners: `(n, 2)`, x and y; whole numbers are the middles of pixels.
        mask: `(H, W)`, written to.
        value: What the pixels are set to.
    """
    size = np.array(mask.shape[::-1])
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, size)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, size)
    if (first >= last).any():
        return
    # OpenCV cuts lines off at the border and draws the cut; a frame keeps that off the picture.
    columns, rows = last - first + 2 * _FRAME
    corners = corners - first + _FRAME
    fixed = np.rint(np.clip(corners, -_FARTHEST, _FARTHEST) * (1 << _SHIFT)).astype(np.int32)
    inside, near = np.zeros((2, rows, columns), np.uint8)
    cv2.fillPoly(inside, [fixed], 1, shift=_SHIFT)
    cv2.polylines(near, [fixed], True, 1, thickness=3, shift=_SHIFT)
    y, x = np.nonzero(near)
    inside[y, x] = points_in_poly(np.stack([x, y], axis=1), corners)
    box = mask[first[1] : last[1], first[0] : last[0]]
    box[inside[_FRAME:-_FRAME, _FRAME:-_FRAME] > 0] = value


def _runs_to_area(runs: Runs, width: int, height: int) -> np.ndarray:
    values = np.arange(len(runs.counts)) % 2 == 1
    area = np.repeat(values, runs.counts).reshape(runs.width, runs.height).T
    rows = ((np.arange(height) + 0.5) * runs.height / height).astype(int)
    columns = ((np.arange(width) + 0.5) * runs.width / width).astype(int)
    return area[rows[:, None], columns[None, :]]


def _class_of(label: str, classes: Mapping[str, int] | None) -> int:
    if classes is None:
        return 1
    if label not in classes:
        raise MaskError(f"the label {label!r} has no class: expected one of {', '.join(classes)}.")
    return classes[label]


def read_points(values: Any, where: str) -> tuple[Point, ...]:
    """Points `[[x, y], ...]` of a document; `where` says in messages where they stand."""
    try:
        points = tuple((float(x), float(y)) for x, y in values)
    except (TypeError, ValueError) as error:
        raise MaskError(f"{where}: expected points [x, y], found {str(values)[:60]}.") from error
    if not np.isfinite(points).all():
        raise MaskError(f"{where}: a coordinate is not a number.")
    return points
