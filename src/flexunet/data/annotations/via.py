"""Outlines of the VGG Image Annotator (VIA): CSV with a region a row, and JSON of its version 2."""

from __future__ import annotations

import codecs
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    BROKEN,
    UNKNOWN,
    UNMARKED,
    Annotations,
    Box,
    Circle,
    Dot,
    Ellipse,
    FilmAnnotation,
    Polygon,
    Shape,
)
from flexunet.data.annotations.values import check_coordinate, read_points
from flexunet.data.images.files.names import name_stem
from flexunet.data.tables import read_table
from flexunet.errors import MaskError

_LABEL = "lesion"
_PROJECT = "_via_img_metadata"
_COLUMNS = ("#filename", "region_count", "region_shape_attributes", "region_attributes")


def is_via_table(path: Path) -> bool:
    """Whether a CSV file begins as this annotator writes it."""
    with path.open("rb") as stream:
        return stream.read(64).removeprefix(codecs.BOM_UTF8).startswith((b"#filename", b"filename,file_size"))


def read_via_table(path: Path) -> Annotations:
    """Regions by film: polygons, ellipses, circles, points and rectangles.

    A film with an open line is `unknown`, since a line encloses no area and its lesion would be lost; one of
    whose regions a row is missing (`region_count`) or cannot be read is `broken`; one without regions is
    `unmarked`: nobody says that it is normal.

    Raises:
        MaskError: if it is no such table.
    """
    table = read_table(path, error=MaskError)
    columns = [table.find(name, name.removeprefix("#")) for name in _COLUMNS]
    films: dict[str, list[tuple[str, str, str, str]]] = defaultdict(list)
    for line, row in table.rows:
        name, count, shape, label = (row[column].strip() for column in columns)
        films[name_stem(name).strip()].append((count, shape, label, table.where(line)))
    return Annotations({stem: _film(rows) for stem, rows in films.items()}, table.notes)


def is_via_document(document: Any) -> bool:
    """Whether a JSON document is a project of this annotator, or the regions that it exports."""
    if not isinstance(document, dict):
        return False
    images = document.get(_PROJECT, document)
    return isinstance(images, dict) and all(
        isinstance(image, dict) and {"filename", "regions"} <= image.keys() for image in images.values()
    )


def read_via_document(path: Path, document: dict[str, Any]) -> Annotations:
    """Regions by film, as `read_via_table` reads them.

    Raises:
        MaskError: if two entries are of one film.
    """
    films = Annotations()
    for key, image in document.get(_PROJECT, document).items():
        where = f"{path}, {str(key)[:60]!r}"
        if not isinstance(image["filename"], str):
            raise MaskError(f"{where}: expected a text as 'filename', found {str(image['filename'])[:40]}.")
        stem, regions = name_stem(image["filename"]), image["regions"]
        if stem in films:
            raise MaskError(f"{where} is the second entry of the film {stem!r}. Keep one.")
        listed = list(regions.values()) if isinstance(regions, dict) else regions  # version 1 numbers them
        films[stem] = _film_of_document(listed, where)
    return films


def _film_of_document(regions: Any, where: str) -> FilmAnnotation:
    if not isinstance(regions, list) or not all(isinstance(region, dict) for region in regions):
        return FilmAnnotation(
            BROKEN, reason=f"{where}: expected a list of regions, found {str(regions)[:40]}"
        )
    shapes = []
    try:
        for number, region in enumerate(regions):
            attributes, label = region.get("shape_attributes"), region.get("region_attributes") or {}
            if not isinstance(attributes, dict) or not isinstance(label, dict):
                raise MaskError(f"{where}, region {number}: expected shape_attributes and region_attributes.")
            shapes.append(_shape(attributes, _label(label), f"{where}, region {number}"))
    except MaskError as error:
        return FilmAnnotation(BROKEN, reason=str(error))
    return _whole_film(shapes, where)


def _film(rows: list[tuple[str, str, str, str]]) -> FilmAnnotation:
    shapes = []
    try:
        for _, text, label, where in rows:
            attributes = _object(text, where)
            if attributes:
                shapes.append(_shape(attributes, _label(_object(label, where)), where))
    except MaskError as error:
        return FilmAnnotation(BROKEN, reason=str(error))
    *_, where = rows[0]
    told = rows[0][0]
    if told.isdigit() and int(told) != len(shapes):
        reason = f"{where}: region_count is {told}, but there are {len(shapes)} regions"
        return FilmAnnotation(BROKEN, reason=reason)
    return _whole_film(shapes, where)


def _whole_film(shapes: list[Shape | None], where: str) -> FilmAnnotation:
    whole = tuple(shape for shape in shapes if shape)
    if len(whole) < len(shapes):
        return FilmAnnotation(UNKNOWN, reason=f"{where}: a region of it is an open line, which has no area")
    return FilmAnnotation(ANNOTATED if whole else UNMARKED, whole)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise MaskError(f"{where}: expected JSON, found {text[:60]!r} ({error}).") from error
    if not isinstance(value, dict):
        raise MaskError(f"{where}: expected a JSON object, found {text[:60]!r}.")
    return value


def _label(attributes: dict[str, Any]) -> str:
    words = [str(value) for value in attributes.values() if isinstance(value, str) and value]
    return words[0] if len(words) == 1 else _LABEL


def _shape(attributes: dict[str, Any], label: str, where: str) -> Shape | None:
    """The region; None for an open line."""
    kind = str(attributes.get("name"))

    def number(key: str) -> float:
        try:
            return check_coordinate(float(attributes[key]), where)
        except (KeyError, TypeError, ValueError) as error:
            raise MaskError(f"{where}: a {kind[:20]} needs the number {key!r}.") from error

    if kind == "ellipse" and (number("rx") <= 0 or number("ry") <= 0):
        raise MaskError(f"{where}: an ellipse needs radii above 0.")
    if kind == "circle" and number("r") <= 0:
        raise MaskError(f"{where}: a circle needs a radius above 0.")
    if kind == "ellipse":
        return Ellipse(number("cx"), number("cy"), number("rx"), number("ry"), label)
    if kind == "circle":
        return Circle(number("cx"), number("cy"), number("r"), label)
    if kind == "point":
        return Dot(number("cx"), number("cy"), label)
    if kind == "rect":
        x, y = number("x"), number("y")
        far_x, far_y = x + number("width"), y + number("height")
        return Box.of(x, y, far_x, far_y, label)
    if kind not in ("polygon", "polyline"):
        raise MaskError(f"{where}: {kind[:40]!r} is no region that is read.")
    across, down = attributes.get("all_points_x"), attributes.get("all_points_y")
    if not isinstance(across, list) or not isinstance(down, list) or len(across) != len(down):
        raise MaskError(f"{where}: a {kind} needs as many all_points_x as all_points_y.")
    points = read_points(zip(across, down, strict=True), where)
    if kind == "polyline" and (len(points) < 4 or points[0] != points[-1]):
        return None
    if len(points) < 3:
        raise MaskError(f"{where}: a polygon needs at least three points, found {len(points)}.")
    return Polygon(points, label)
