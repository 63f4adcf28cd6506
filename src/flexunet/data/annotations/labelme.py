"""Annotations of LabelMe: polygons, circles, rectangles, masks and points."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.annotations.pixels import runs_of
from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Box,
    Circle,
    Dot,
    FilmAnnotation,
    Point,
    Polygon,
    Runs,
    Shape,
)
from flexunet.data.annotations.values import read_frame, read_points
from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.decode import decode_image
from flexunet.data.images.files.names import name_stem
from flexunet.errors import ImageError, MaskError

_LINES = ("line", "linestrip")
_POINTS = ("point", "points")


def read_labelme(path: Path, document: Mapping[str, Any]) -> tuple[str, FilmAnnotation]:
    """The stem of the film, and its shapes.

    A point is a lesion of one pixel. Open lines and outlines that enclose no area are left out and named in
    the notes; a film with nothing else is `unknown`. A file without shapes says that the film is normal.

    Raises:
        MaskError: if a field has another form than LabelMe writes; names the file and the shape.
    """
    named = document.get("imagePath")
    if named and not isinstance(named, str):
        raise MaskError(f"{path}: expected a text as 'imagePath', found {str(named)[:40]}.")
    width, height = read_frame(document.get("imageWidth"), document.get("imageHeight"), str(path))
    entries = document["shapes"]
    if not isinstance(entries, list):
        raise MaskError(f"{path}: expected a list as 'shapes', found {str(entries)[:40]}.")
    shapes: list[Shape] = []
    notes: list[str] = []
    for number, entry in enumerate(entries):
        where = f"{path}, shape {number}"
        if not isinstance(entry, dict):
            raise MaskError(f"{where}: expected a shape, found {str(entry)[:40]}.")
        points = read_points(entry.get("points"), where)
        kind, label = str(entry.get("shape_type") or "polygon"), str(entry.get("label") or "")
        if kind == "mask":
            shapes.append(_mask(entry.get("mask"), points, width, height, label, where))
        elif kind in _POINTS and points:
            shapes += [Dot(x, y, label) for x, y in points]
        elif shape := _outline(kind, points, label, where):
            shapes.append(shape)
        else:
            notes.append(
                f"{where} ({label}): a {kind} of {len(points)} points encloses no area; it was left out."
            )
    state, reason = (ANNOTATED if shapes else NORMAL), ""
    if notes and not shapes:
        state, reason = UNKNOWN, notes[0]
    stem = name_stem(named or path.name)
    return stem, FilmAnnotation(state, tuple(shapes), width, height, reason=reason, notes=tuple(notes))


def _outline(kind: str, points: tuple[Point, ...], label: str, where: str) -> Shape | None:
    """The area of a shape; None if it encloses none."""
    if kind == "circle" and len(points) == 2:
        (x, y), (rim_x, rim_y) = points
        radius = float(np.hypot(rim_x - x, rim_y - y))
        return Circle(x, y, radius, label) if radius else None
    if kind == "rectangle" and len(points) == 2:
        (x, y), (far_x, far_y) = points
        return Box.of(x, y, far_x, far_y, label) if x != far_x and y != far_y else None
    if kind in ("polygon", "rectangle", "rotation"):
        return Polygon(points, label) if len(points) > 2 else None
    if kind == "linestrip" and len(points) > 3 and points[0] == points[-1]:
        return Polygon(points, label)
    if kind in (*_LINES, *_POINTS, "circle"):
        return None
    raise MaskError(
        f"{where}: {kind[:40]!r} is no shape that is read. Draw it as a polygon, circle, rectangle or mask."
    )


def _mask(
    encoded: Any, points: tuple[Point, ...], width: int | None, height: int | None, label: str, where: str
) -> Runs:
    """A shape `mask`: a PNG in base 64 between two corners, of which both pixels belong to it."""
    if width is None or height is None or width * height > MAX_PIXELS:
        raise MaskError(f"{where}: a mask needs imageWidth and imageHeight, found {width} x {height}.")
    if len(points) != 2 or not isinstance(encoded, str):
        raise MaskError(
            f"{where}: a mask needs two corners and a PNG in base 64, found {len(points)} points."
        )
    try:
        drawn = decode_image(Path("PNG"), base64.b64decode(encoded, validate=True))
    except (ValueError, ImageError) as error:
        raise MaskError(f"{where}: its mask is not a PNG in base 64 ({error}).") from error
    drawn = (drawn if drawn.ndim == 2 else drawn.max(axis=2)) > 0
    left, top = (int(min(pair)) for pair in zip(*points, strict=True))
    across, down = (int(max(pair)) - int(min(pair)) + 1 for pair in zip(*points, strict=True))
    if drawn.shape not in ((down, across), (down - 1, across - 1)):
        raise MaskError(
            f"{where}: its mask has {drawn.shape[1]} x {drawn.shape[0]} pixels, but its corners span "
            f"{across} x {down}."
        )
    return runs_of(drawn, left, top, width, height, label)
