"""Lesions outlined by people: circles, polygons, points and run lengths, and the masks that they make."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from flexunet.data.annotations.filling import fill_polygon
from flexunet.errors import MaskError

Point = tuple[float, float]
Box2 = tuple[slice, slice]
Area = tuple[int, Box2, np.ndarray]  # class, rows and columns, bool pixels within

_SMALL = 4  # pixels; a larger outline that holds no middle of a pixel lies beyond the film

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
    """A filled ellipse as `Circle`, with a radius across and down, turned by `angle` degrees clockwise."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    label: str = ""
    angle: float = 0.0


@dataclass(frozen=True)
class Polygon:
    """A filled polygon: corners in pixels of the annotation's frame, x to the right, y down."""

    points: tuple[Point, ...]
    label: str = ""


@dataclass(frozen=True)
class Box(Polygon):
    """A filled rectangle around a lesion: not its outline."""

    @classmethod
    def of(
        cls, left: float, top: float, right: float, bottom: float, label: str = "", angle: float = 0.0
    ) -> Box:
        """The box between two corners, turned by `angle` degrees clockwise about its middle."""
        points = ((left, top), (right, top), (right, bottom), (left, bottom))
        if angle:
            x, y = (left + right) / 2, (top + bottom) / 2
            points = tuple(turned(point, (x, y), angle) for point in points)  # type: ignore[assignment]
        return cls(points, label)


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


def turned(point: Point, middle: Point, angle: float) -> Point:
    """A point turned by `angle` degrees about another, clockwise as y runs down."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = point[0] - middle[0], point[1] - middle[1]
    return middle[0] + cosine * x - sine * y, middle[1] + sine * x + cosine * y


def marked_by(shape: Shape) -> str:
    """How a lesion is marked, in the words of the manifest's column `mask_origin`."""
    if isinstance(shape, Circle | Ellipse):
        return "circle"
    if isinstance(shape, Dot):
        return "point"
    if isinstance(shape, Runs):
        return "mask"
    return "box" if isinstance(shape, Box) else "outline"


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
        scale = self._scale(width, height)
        mask = np.zeros((height, width), np.uint8)
        for shape in self.shapes:
            _draw(mask, shape, scale, 0.5 if self.on_centres else 0.0, _class_of(shape.label, classes))
        return mask

    def areas(self, width: int, height: int, classes: Mapping[str, int] | None = None) -> Iterator[Area]:
        """The part of a film that a shape covers, of those shapes that may touch others; see `rasterise`.

        Single points are left out.
        """
        scale, offset = self._scale(width, height), 0.5 if self.on_centres else 0.0
        values = [_class_of(shape.label, classes) for shape in self.shapes]
        drawn = [
            (value, shape)
            for value, shape in zip(values, self.shapes, strict=True)
            if value and not isinstance(shape, Dot)
        ]
        boxes = [_box_of(shape, scale, offset, width, height) for _, shape in drawn]
        scratch = np.zeros((height if boxes else 0, width), np.uint8)
        for (value, shape), box, near in zip(drawn, boxes, _meeting(boxes), strict=True):
            if near:
                _draw(scratch, shape, scale, offset, 1)
                yield value, box, scratch[box] > 0
                scratch[box] = 0

    def _scale(self, width: int, height: int) -> Point:
        """Pixels of a film to one of the frame, across and down."""
        frame_width, frame_height = self.width or width, self.height or height
        # Half a percent is what rounding to whole pixels may change.
        if abs(frame_width * height - frame_height * width) > 0.005 * frame_width * height:
            raise MaskError(
                f"the outlines were drawn on {frame_width} x {frame_height} pixels, but the film has "
                f"{width} x {height}: the proportions differ. Use the film that was outlined."
            )
        return width / frame_width, height / frame_height


@dataclass(frozen=True)
class RelativeAnnotation(FilmAnnotation):
    """The same with coordinates that are shares of the film's width and height, as YOLO has them."""

    def _scale(self, width: int, height: int) -> Point:
        return float(width), float(height)


def _box_of(shape: Shape, scale: Point, offset: float, width: int, height: int) -> Box2:
    """Rows and columns of a film within which a shape lies, and a pixel around it."""
    if isinstance(shape, Polygon):
        corners = (np.asarray(shape.points, np.float64) + offset) * scale
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    elif isinstance(shape, Circle | Ellipse):
        radius = shape.radius if isinstance(shape, Circle) else max(shape.radius_x, shape.radius_y)
        x, y = (shape.x + offset) * scale[0], (shape.y + offset) * scale[1]
        left, top = x - radius * scale[0], y - radius * scale[1]
        right, bottom = x + radius * scale[0], y + radius * scale[1]
    else:
        left, top, right, bottom = 0, 0, width, height
    rows = np.clip([np.floor(top) - 1, np.ceil(bottom) + 1], 0, height).astype(int)
    columns = np.clip([np.floor(left) - 1, np.ceil(right) + 1], 0, width).astype(int)
    return slice(*rows.tolist()), slice(*columns.tolist())


def _meeting(boxes: Sequence[Box2]) -> np.ndarray:
    """Which boxes overlap or touch another one, bool `(n,)`."""
    ends = np.array([[rows.start, rows.stop, columns.start, columns.stop] for rows, columns in boxes])
    if len(ends) < 2:
        return np.zeros(len(ends), bool)
    top, bottom, left, right = ends.T
    meets = (top[:, None] <= bottom) & (top <= bottom[:, None])
    meets &= (left[:, None] <= right) & (left <= right[:, None])
    np.fill_diagonal(meets, False)
    return meets.any(axis=1)


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
        _draw_ellipse(mask, shape, scale, offset, value)
        return
    corners = (np.asarray(shape.points, np.float64) + offset) * scale
    if not fill_polygon(corners - 0.5, mask, value) and np.ptp(corners, axis=0).max() < _SMALL:
        x, y = corners.mean(axis=0)
        _set_pixel(mask, x, y, value)


def _draw_ellipse(mask: np.ndarray, shape: Circle | Ellipse, scale: Point, offset: float, value: int) -> None:
    height, width = mask.shape
    x, y = (shape.x + offset) * scale[0] - 0.5, (shape.y + offset) * scale[1] - 0.5
    if isinstance(shape, Circle):
        shape = Ellipse(shape.x, shape.y, shape.radius, shape.radius)
    radii, angle = (shape.radius_x, shape.radius_y), math.radians(shape.angle)
    if min(radii) <= 0:
        return
    cosine, sine = math.cos(angle), math.sin(angle)
    across = math.hypot(radii[0] * cosine, radii[1] * sine) * scale[0]
    down = math.hypot(radii[0] * sine, radii[1] * cosine) * scale[1]
    rows = np.arange(max(0, math.floor(y - down)), min(height, math.ceil(y + down) + 1))
    columns = np.arange(max(0, math.floor(x - across)), min(width, math.ceil(x + across) + 1))
    if not len(rows) or not len(columns):
        return
    to_right, below = (columns[None, :] - x) / scale[0], (rows[:, None] - y) / scale[1]
    long, short = cosine * to_right + sine * below, cosine * below - sine * to_right
    inside = (long / radii[0]) ** 2 + (short / radii[1]) ** 2 <= 1 + 1e-9
    mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = value
    if not inside.any():
        _set_pixel(mask, x + 0.5, y + 0.5, value)


def _set_pixel(mask: np.ndarray, x: float, y: float, value: int) -> None:
    """Set the pixel that holds a point: also that of a lesion too small to hold the middle of any pixel."""
    row, column = int(np.floor(y)), int(np.floor(x))
    if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]:
        mask[row, column] = value


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
