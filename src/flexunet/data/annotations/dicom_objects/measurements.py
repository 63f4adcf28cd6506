"""Outlines of measurements in structured reports (SR, PS3.3 A.35): spatial coordinates of an image each.

Coordinates are columns and rows of the film, 0 its corner (PS3.3 C.18.6); the kind of lesion is the finding
beside them (TID 1410, TID 4004).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.data.annotations.dicom_objects.films import Films, Marks, gathered
from flexunet.data.annotations.shapes import Circle, Dot, Ellipse, FilmAnnotation, Point, Polygon, Shape
from flexunet.data.annotations.values import read_points
from flexunet.data.dicom.read import read_header, refusing_damage
from flexunet.errors import MaskError

if TYPE_CHECKING:
    from pydicom import Dataset

_DEEPEST = 64
_FINDING = ("121071", "111059")  # Finding; Single Image Finding
_CENTER, _OUTLINE = "111010", "111041"


def read_measurements(path: Path, films: Films) -> dict[str, FilmAnnotation]:
    """Polygons, circles, ellipses and points by film.

    A centre beside an outline is left out; lines, such as diameters, are left out and named; a film with
    nothing else is `unknown`.

    Raises:
        MaskError: if coordinates do not say to which film they belong, or make no sense.
    """
    marks: dict[str, Marks] = defaultdict(Marks)
    with refusing_damage(path):
        root = read_header(path)
        for item, above in _coordinates(root, []):
            label = _finding(above)
            where = f"{path}, {item.get('GraphicType') or 'coordinates'!s} ({label})"
            mark = marks[_film_of(item, root, where)]
            if _code(item) == _CENTER and any(_code(each) == _OUTLINE for each in _children(above[-1])):
                continue
            shapes = list(_shapes(item, label, where))
            mark.shapes += shapes
            if not shapes:
                mark.notes.append(f"{where} has no area; it was left out.")
    for mark in marks.values():
        if mark.notes and not mark.shapes:
            mark.unknown = mark.notes[0]
    return gathered(films, marks, "")


def _children(item: Dataset) -> Sequence[Dataset]:
    return item.get("ContentSequence") or ()


def _coordinates(item: Dataset, above: list[Dataset]) -> Iterator[tuple[Dataset, list[Dataset]]]:
    """Items of spatial coordinates, each with the items above it."""
    if len(above) > _DEEPEST:
        raise MaskError("the report is nested too deeply. Export it again.")
    for child in _children(item):
        if child.get("ValueType") == "SCOORD":
            yield child, [*above, item]
        yield from _coordinates(child, [*above, item])


def _code(item: Dataset) -> str:
    return next((str(code.get("CodeValue") or "") for code in item.get("ConceptNameCodeSequence") or ()), "")


def _finding(above: list[Dataset]) -> str:
    """Meaning of the nearest finding beside or above coordinates."""
    for item in reversed(above):
        for each in (item, *_children(item)):
            if each.get("ValueType") == "CODE" and _code(each) in _FINDING:
                return next((str(code.CodeMeaning) for code in each.get("ConceptCodeSequence") or ()), "")
    return ""


def _film_of(item: Dataset, root: Dataset, where: str) -> str:
    """UID of the film from which coordinates were selected: told below them, or by reference."""
    for child in _children(item):
        image = child
        if "ReferencedContentItemIdentifier" in child:
            image = root
            for position in _positions(child.ReferencedContentItemIdentifier)[1:]:
                below = _children(image)
                if not 1 <= position <= len(below):
                    raise MaskError(f"{where} refers to an item that the report does not have.")
                image = below[position - 1]
        for reference in image.get("ReferencedSOPSequence") or ():
            return str(reference.ReferencedSOPInstanceUID)
    raise MaskError(f"{where} does not say of which film it is.")


def _positions(identifier: object) -> list[int]:
    return [int(part) for part in identifier] if isinstance(identifier, Sequence) else [int(str(identifier))]


def _shapes(item: Dataset, label: str, where: str) -> Iterator[Shape]:
    kind, numbers = (
        str(item.get("GraphicType") or ""),
        [float(value) for value in item.get("GraphicData") or ()],
    )
    if not numbers or len(numbers) % 2:
        raise MaskError(f"{where} has {len(numbers)} numbers; expected column and row of each point.")
    points = read_points(zip(numbers[::2], numbers[1::2], strict=True), where)
    if kind in ("POINT", "MULTIPOINT"):
        yield from (Dot(x, y, label) for x, y in points)
    elif kind == "POLYLINE":
        if len(points) > 3 and points[0] == points[-1]:
            yield Polygon(points, label)
    elif kind == "CIRCLE" and len(points) == 2:
        yield Circle(*points[0], math.dist(*points), label)
    elif kind == "ELLIPSE" and len(points) == 4:
        yield _ellipse(points, label)
    else:
        raise MaskError(f"{where} with {len(points)} points is no shape that is read.")


def _ellipse(points: tuple[Point, ...], label: str) -> Ellipse:
    """Ends of the long axis, then of the short one."""
    first, last, *short = points
    middle = (first[0] + last[0]) / 2, (first[1] + last[1]) / 2
    angle = math.degrees(math.atan2(last[1] - first[1], last[0] - first[0]))
    return Ellipse(*middle, math.dist(first, last) / 2, math.dist(*short) / 2, label, angle)
