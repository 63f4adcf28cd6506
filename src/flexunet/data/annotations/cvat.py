"""Annotations of CVAT, XML ("CVAT for images"): polygons, masks, boxes, ellipses and points.

Source: the page "CVAT for image" of its documentation, format version 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from flexunet.data.annotations.pixels import runs_of, unroll
from flexunet.data.annotations.shapes import (
    ANNOTATED,
    BROKEN,
    NORMAL,
    UNKNOWN,
    UNMARKED,
    Annotations,
    Box,
    Dot,
    Ellipse,
    FilmAnnotation,
    Polygon,
    Shape,
)
from flexunet.data.annotations.values import check_coordinate, read_frame, read_points
from flexunet.data.documents import parse_xml
from flexunet.data.images.files.names import name_stem
from flexunet.errors import MaskError

_MOST_BYTES = 256 << 20
_NORMAL = "normal"


def is_cvat(path: Path) -> bool:
    """Whether an XML file begins as CVAT writes it."""
    with path.open("rb") as stream:
        return re.search(rb"<annotations[\s>]", stream.read(4096)) is not None


def read_cvat(path: Path) -> Annotations:
    """Shapes by film.

    A film with an open line is `unknown`, since a line has no area and its lesion would be lost. One without
    shapes is `unmarked`, since nobody says that it was looked at, unless a tag calls it normal.

    Raises:
        MaskError: if it is no such file; a damaged shape breaks its film alone.
    """
    films = Annotations()
    for image in _root(path).iter("image"):
        name = image.get("name") or ""
        where, stem = f"{path}, image {name!r}", name_stem(name)
        if not stem:
            raise MaskError(f"{path}: an image has no name. Export it again.")
        if stem in films:
            raise MaskError(f"{path} lists two images named {stem!r}; each film needs its own name.")
        films[stem] = _film(image, where)
    if not films:
        raise MaskError(f"{path} lists no image: export the task as 'CVAT for images', not for video.")
    return films


def _root(path: Path) -> ElementTree.Element:
    if path.stat().st_size > _MOST_BYTES:
        raise MaskError(f"{path} is larger than {_MOST_BYTES >> 20} MiB. Export fewer films at once.")
    try:
        return parse_xml(path.read_bytes(), path.name)
    except (ValueError, ElementTree.ParseError) as error:
        raise MaskError(f"{path} is not valid XML of CVAT: {error}. Export it again.") from error


def _film(image: ElementTree.Element, where: str) -> FilmAnnotation:
    try:
        width, height = read_frame(image.get("width"), image.get("height"), where)
        shapes = [shape for entry in image for shape in _shapes(entry, width, height, where)]
    except _NoAreaError as error:
        return FilmAnnotation(UNKNOWN, reason=str(error))
    except MaskError as error:
        return FilmAnnotation(BROKEN, reason=str(error))
    normal = any((tag.get("label") or "").casefold() == _NORMAL for tag in image.iter("tag"))
    if shapes and normal:
        return FilmAnnotation(BROKEN, reason=f"{where} is tagged as normal, but has {len(shapes)} shapes")
    state = ANNOTATED if shapes else NORMAL if normal else UNMARKED
    return FilmAnnotation(state, tuple(shapes), width, height)


class _NoAreaError(MaskError):
    """A shape that has no area."""


def _shapes(entry: ElementTree.Element, width: int | None, height: int | None, where: str) -> Iterator[Shape]:
    kind, label = entry.tag, entry.get("label") or ""
    where = f"{where}, {kind} ({label})"

    def number(key: str, otherwise: str = "") -> float:
        text = entry.get(key, otherwise)
        try:
            return check_coordinate(float(text), where)
        except ValueError as error:
            raise MaskError(f"{where}: expected a number as {key!r}, found {text[:40]!r}.") from error

    if kind in ("polygon", "polyline", "points"):
        pairs = [pair.split(",") for pair in (entry.get("points") or "").split(";") if pair]
        points = read_points(pairs, where)
        if kind == "points":
            yield from (Dot(x, y, label) for x, y in points)
        elif kind == "polyline" and (len(points) < 4 or points[0] != points[-1]):
            raise _NoAreaError(f"{where} is an open line, which has no area")
        elif len(points) < 3:
            raise MaskError(f"{where}: a polygon needs at least three points, found {len(points)}.")
        else:
            yield Polygon(points, label)
    elif kind == "box":
        corners = number("xtl"), number("ytl"), number("xbr"), number("ybr")
        yield Box.of(*corners, label, number("rotation", "0"))
    elif kind == "ellipse":
        radii = number("rx"), number("ry")
        if min(radii) <= 0:
            raise MaskError(f"{where}: an ellipse needs radii above 0.")
        yield Ellipse(number("cx"), number("cy"), *radii, label, number("rotation", "0"))
    elif kind == "mask":
        if width is None or height is None:
            raise MaskError(f"{where}: a mask needs the width and height of its image.")
        counts = [int(word) for word in (entry.get("rle") or "").split(",") if word.strip()]
        left, top, across, down = (int(number(key)) for key in ("left", "top", "width", "height"))
        yield runs_of(unroll(counts, across, down, where), left, top, width, height, label)
    elif kind != "tag":
        raise MaskError(f"{where}: {kind[:40]!r} is no shape that is read.")
