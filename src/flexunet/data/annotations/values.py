"""Numbers of annotation files: what is one, and what no film can have."""

from __future__ import annotations

from typing import Any

from flexunet.data.annotations.shapes import Point
from flexunet.errors import MaskError

_BEYOND = 1e7  # pixels; no film is as wide
_WIDEST = 1_000_000


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
