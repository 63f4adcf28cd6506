"""Lesions outlined by people: circles, polygons, points and run lengths, and the masks that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from skimage.measure import points_in_poly

from flexunet.errors import MaskError

Point = tuple[float, float]

_SHIFT = 8  # bits that OpenCV takes for fractions of a pixel
_FRAME = 4
_SMALL = 4  # pixels; a larger outline that holds no middle of a pixel lies beyond the film
_BEYOND = 1e7  # pixels; no film is as wide
_WIDEST = 1_000_000
_FARTHEST = 1 << 22  # pixels; farther corners have no place in its 32 bits

ANNOTATED, NORMAL, UNKNOWN, BROKEN = "annotated", "normal", "unknown", "broken"
UNMARKED = "unmarked"


@dataclass(frozen=True)
class Circle:
    """A filled circle: centre and radius in pixels of the annotation's frame, x to the right, y down."""

    x: float
    y: float
    radius: float
    label: str = ""


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse whose axes lie along those of the film, as `Circle`, with a radius across and down."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    label: str = ""


@dataclass(frozen=True)
class Polygon:
    """A filled polygon: corners in pixels of the annotation's frame, x to the right, y down."""

    points: tuple[Point, ...]
    label: str = ""


@dataclass(frozen=True)
class Dot:
    """One pixel, such as a single calcification: a point in pixels of the annotation's frame."""

    x: float
    y: float
    label: str = ""


@dataclass(frozen=True)
class Runs:
    """A mask as COCO run lengths: column by column, background first."""

    counts: tuple[int, ...]
    width: int
    height: int
    label: str = ""


Shape = Circle | Ellipse | Polygon | Dot | Runs


@dataclass(frozen=True)
class FilmAnnotation:
    """What is known of one film.

    Attributes:
        state: `annotated` (has shapes), `normal` (known to have no lesion), `unknown` (abnormal, but nobody
            says where), `unmarked` (nobody marked it or called it normal) or `broken` (its file cannot be
            read).
        shapes: Outlines of its lesions.
        width: Width of the frame in which coordinates count; that of the film when None.
        height: Height of that frame.
        on_centres: Whether a whole number names the middle of a pixel (mini-MIAS) and not its corner.
        reason: Why the state is `unknown` or `broken`.
        columns: Further facts for the manifest.
        notes: What was left out of its outlines, a sentence each.
    """

    state: str
    shapes: tuple[Shape, ...] = ()
    width: int | None = None
    height: int | None = None
    on_centres: bool = False
    reason: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rasterise(self, width: int, height: int, classes: Mapping[str, int] | None = None) -> np.ndarray:
        """Draw the shapes as a mask of a film: a pixel belongs to a shape if its middle does.

        A lesion too small to hold the middle of a pixel keeps the one under its own middle.

        Args:
            width: Pixels of the film; the frame is scaled to it.
            height: Pixels of the film.
            classes: Class index of each label; every label is class 1 when left out.

        Returns:
            Class indices, uint8 array `(height, width)`; where shapes overlap, the later one counts.

        Raises:
            MaskError: if the state is neither `annotated` nor `normal`, a label has no class, or the frame
                has other proportions.
        """
        if self.state == BROKEN:
            raise MaskError(self.reason)
        if self.state in (UNKNOWN, UNMARKED):
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


def _draw(mask: np.ndarray, shape: Shape, scale: Point, offset: float, value: int) -> None:
    height, width = mask.shape
    if isinstance(shape, Runs):
        mask[_runs_to_area(shape, width, height)] = value
        return
    if isinstance(shape, Dot):
        _set_pixel(mask, (shape.x + offset) * scale[0], (shape.y + offset) * scale[1], value)
        return
    # Below, the middle of a pixel is at (row, column) itself; its corner lies half a pixel before.
    if isinstance(shape, Circle | Ellipse):
        radii = (
            (shape.radius, shape.radius) if isinstance(shape, Circle) else (shape.radius_x, shape.radius_y)
        )
        x, y = (shape.x + offset) * scale[0] - 0.5, (shape.y + offset) * scale[1] - 0.5
        across, down = radii[0] * scale[0], radii[1] * scale[1]
        rows = np.arange(max(0, int(np.floor(y - down))), min(height, int(np.ceil(y + down)) + 1))
        columns = np.arange(max(0, int(np.floor(x - across))), min(width, int(np.ceil(x + across)) + 1))
        if not len(rows) or not len(columns) or min(across, down) <= 0:
            return
        inside = ((columns[None, :] - x) / across) ** 2 + ((rows[:, None] - y) / down) ** 2 <= 1 + 1e-9
        mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = value
        if not inside.any():
            _set_pixel(mask, x + 0.5, y + 0.5, value)
        return
    corners = (np.asarray(shape.points, np.float64) + offset) * scale
    if not _fill(corners - 0.5, mask, value) and np.ptp(corners, axis=0).max() < _SMALL:
        x, y = corners.mean(axis=0)
        _set_pixel(mask, x, y, value)


def _set_pixel(mask: np.ndarray, x: float, y: float, value: int) -> None:
    """Set the pixel that holds a point: also that of a lesion too small to hold the middle of any pixel."""
    row, column = int(np.floor(y)), int(np.floor(x))
    if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]:
        mask[row, column] = value


def _fill(corners: np.ndarray, mask: np.ndarray, value: int) -> bool:
    """Set the pixels whose middles lie within or on a polygon, even-odd, as `skimage.draw.polygon` does.

    Returns whether there are any.

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
        return False
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
    area = inside[_FRAME:-_FRAME, _FRAME:-_FRAME] > 0
    box[area] = value
    return bool(area.any())


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


class Annotations(dict[str, FilmAnnotation]):
    """What is known of each film, by the stem of its file name.

    Attributes:
        notes: What a user should know of how they were read, a sentence each.
    """

    def __init__(
        self,
        films: Mapping[str, FilmAnnotation] | Iterable[tuple[str, FilmAnnotation]] = (),
        notes: Iterable[str] = (),
    ):
        super().__init__(films)
        self.notes = list(notes)

    def add(self, stem: str, film: FilmAnnotation, where: str) -> None:
        """Add a row to what is known of a film; one row without coordinates makes the whole film unknown.

        Raises:
            MaskError: if the row contradicts an earlier one; `where` is its place.
        """
        before = self.get(stem)
        if before is None:
            self[stem] = film
            return
        if (before.width, before.height) != (film.width, film.height):
            raise MaskError(
                f"{where} gives two frame sizes for {stem!r}: {film.width} x {film.height}, and before "
                f"{before.width} x {before.height}."
            )
        columns = _joined(before.columns, film.columns)
        if UNKNOWN in (before.state, film.state):
            self[stem] = replace(before if before.state == UNKNOWN else film, shapes=(), columns=columns)
        elif before.state != film.state:
            raise MaskError(f"{where} calls {stem!r} both normal and annotated. Correct one of the rows.")
        else:
            self[stem] = replace(before, shapes=before.shapes + film.shapes, columns=columns)


def _joined(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Facts of a film from two of its lesions: what differs stands side by side, `B+M`."""
    facts = {}
    for name in dict.fromkeys([*first, *second]):
        words = {word for told in (first, second) for word in told.get(name, "").split("+") if word}
        facts[name] = "+".join(sorted(words))
    return facts


def read_points(values: Any, where: str) -> tuple[Point, ...]:
    """Points `[[x, y], ...]` of a document; `where` says in messages where they stand."""
    try:
        points = tuple((float(x), float(y)) for x, y in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise MaskError(f"{where}: expected points [x, y], found {str(values)[:60]}.") from error
    for point in points:
        for coordinate in point:
            check_coordinate(coordinate, where)
    return points


def check_coordinate(value: float, where: str) -> float:
    """The same number, if a film may have it for a coordinate.

    Raises:
        MaskError: if it is no number, or beyond any film.
    """
    if not abs(value) <= _BEYOND:
        raise MaskError(f"{where}: a coordinate is {value:g}, which no film has. Correct it.")
    return value


def read_frame(width: Any, height: Any, where: str) -> tuple[int | None, int | None]:
    """Width and height of the frame of coordinates as a document gives them; None for what it leaves open.

    Raises:
        MaskError: if one is no number of pixels.
    """
    return _pixels(width, "width", where), _pixels(height, "height", where)


def _pixels(value: Any, name: str, where: str) -> int | None:
    if value is None or value == "" or (value == 0 and not isinstance(value, bool)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if isinstance(value, bool) or not (1 <= number <= _WIDEST and number == int(number)):
        raise MaskError(f"{where}: expected a whole number of pixels as {name}, found {str(value)[:40]!r}.")
    return int(number)
