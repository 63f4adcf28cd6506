"""Annotations of INbreast: Apple property lists as OsiriX writes them, one a film.

Source: Moreira, I. C. et al. (2012), INbreast: toward a full-field digital mammographic database, Academic
    Radiology 19(2), 236-248.
"""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from typing import Any

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN, Dot, FilmAnnotation, Point, Polygon, Shape
from flexunet.data.annotations.values import read_points
from flexunet.errors import MaskError

_MOST_BYTES = 64 << 20
_POINT = re.compile(r"\s*\(\s*([^,()\s]{1,40})\s*,\s*([^,()\s]{1,40})\s*\)\s*")
_BRACED = re.compile(r"\s*\{\s*([^,{}\s]{1,40})\s*,\s*([^,{}\s]{1,40})\s*\}\s*")


def read_property_list(path: Path) -> FilmAnnotation:
    """The outlines (`ROIs`) of a film; one or two points are single calcifications, a pixel each.

    Raises:
        MaskError: if it is no property list, or one of other things; names the file and the outline.
    """
    document = _load(path, "Images")
    shapes: list[Shape] = []
    images = _list(document, "Images", str(path))
    for number, image in enumerate(images):
        for position, region in enumerate(_list(image, "ROIs", f"{path}, image {number}")):
            where = f"{path}, image {number}, ROI {position}"
            shapes += _shapes(region, where)
    if not shapes:
        return FilmAnnotation(UNKNOWN, reason=f"{path} has no outline, and does not say normal")
    return FilmAnnotation(ANNOTATED, tuple(shapes))


def read_open_line(path: Path) -> tuple[Point, ...]:
    """The points of a line (`ROIPoints`) as INbreast draws the edge of the pectoral muscle.

    Raises:
        MaskError: if it is no property list of this form; names the file.
    """
    texts = _list(_load(path, "ROIPoints"), "ROIPoints", str(path))
    matches = [_BRACED.fullmatch(text) if isinstance(text, str) else None for text in texts]
    if None in matches or len(matches) < 2:
        raise MaskError(f"{path}: expected points '{{x, y}}' of a line, found {str(texts[:2])[:60]}.")
    return read_points([match.groups() for match in matches if match], str(path))


def _load(path: Path, key: str) -> Any:
    if path.stat().st_size > _MOST_BYTES:
        raise MaskError(f"{path} is larger than {_MOST_BYTES >> 20} MiB: no outlines of one film.")
    try:
        document: Any = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)
        if key not in document:
            raise MaskError(f"{key!r} is missing")
    except Exception as error:  # whatever expat and plistlib raise on damaged files
        reason = str(error)[:100] or type(error).__name__
        raise MaskError(
            f"{path} is not an Apple property list as INbreast has them ({reason}). "
            "Of XML, only these are read; export others as COCO or LabelMe JSON."
        ) from error
    return document


def _list(document: Any, name: str, where: str) -> list[Any]:
    entries = document.get(name) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise MaskError(
            f"{where}: expected a property list with the outlines of a film: {name!r} is missing."
        )
    return entries


def _shapes(region: Any, where: str) -> list[Shape]:
    texts = _list(region, "Point_px", where)
    matches = [_POINT.fullmatch(text) if isinstance(text, str) else None for text in texts]
    if None in matches:
        wrong = texts[matches.index(None)]
        raise MaskError(f"{where}: expected a point '(x, y)', found {str(wrong)[:40]!r}.")
    points = read_points([match.groups() for match in matches if match], where)
    told = region.get("NumberOfPoints", len(points))
    if told != len(points):
        raise MaskError(f"{where}: NumberOfPoints is {str(told)[:20]}, but there are {len(points)} points.")
    label = str(region.get("Name") or "")
    if not points:
        raise MaskError(f"{where} ({label}) has no points.")
    return [Polygon(points, label)] if len(points) > 2 else [Dot(x, y, label) for x, y in points]
