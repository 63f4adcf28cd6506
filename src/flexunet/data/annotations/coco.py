"""Annotations in the form of COCO: polygons, and run lengths plain and compressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Annotations,
    Box,
    FilmAnnotation,
    Polygon,
    Runs,
    Shape,
)
from flexunet.data.annotations.values import check_coordinate, read_frame, read_points
from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.names import name_stem
from flexunet.errors import MaskError


@dataclass
class _Drawn:
    """What the annotations of one image say."""

    shapes: list[Shape] = field(default_factory=list)
    missing: str = ""
    notes: list[str] = field(default_factory=list)


def is_coco(document: Any) -> bool:
    """Whether a JSON document has images and annotations."""
    return isinstance(document, dict) and "images" in document and "annotations" in document


def read_coco(path: Path, document: Mapping[str, Any], fill_boxes: bool = False) -> Annotations:
    """COCO: polygons and run lengths; an image listed without any annotation is normal.

    Boxes without a segmentation count as lesions only with `fill_boxes`.

    Polygons of one or two points, slips of the mouse, are left out and named in the film's notes; a film that
    has an annotation without any outline is `unknown`.

    Raises:
        MaskError: if an entry contradicts another, or lacks what it needs; names the file and the entry.
    """
    labels = {
        key: str(_get(entry, "name", where)) for key, entry, where in _entries(path, document, "categories")
    }
    images: dict[Any, Mapping[str, Any]] = {}
    for key, entry, where in _entries(path, document, "images"):
        if not isinstance(_get(entry, "file_name", where), str):
            raise MaskError(f"{where}: expected a text as 'file_name', found {str(entry['file_name'])[:40]}.")
        images[key] = entry
    drawn: dict[Any, _Drawn] = {key: _Drawn() for key in images}
    listed = document["annotations"]
    if not isinstance(listed, list):
        raise _not_whole(f"{path}", f"'annotations' is no list, but {str(listed)[:40]}")
    earlier: dict[Any, tuple[Any, str]] = {}
    for number, entry in enumerate(listed):
        where = f"{path}, annotations[{number}]"
        key = entry.get("id") if isinstance(entry, dict) else None
        first, place = (
            earlier.setdefault(key, (entry, where)) if isinstance(key, int | str) else (entry, where)
        )
        if first != entry:
            raise MaskError(
                f"{where}: the id {str(key)[:40]} is given twice, and {place} tells something else."
            )
        if place == where:  # a row that is repeated word for word is drawn once
            _add(drawn, images, labels, entry, where, fill_boxes)
    films = Annotations()
    for key, entry in images.items():
        film, where = drawn[key], f"{path}, image {key!r} ({entry['file_name']})"
        stem = name_stem(entry["file_name"])
        if stem in films:
            raise MaskError(f"{path} lists two images named {stem!r}; each film needs its own name.")
        state = UNKNOWN if film.missing else ANNOTATED if film.shapes else NORMAL
        films[stem] = FilmAnnotation(
            state,
            () if film.missing else tuple(film.shapes),
            *read_frame(entry.get("width"), entry.get("height"), where),
            reason=film.missing,
            notes=tuple(film.notes),
        )
    return films


def _entries(path: Path, document: Mapping[str, Any], name: str) -> list[tuple[Any, Mapping[str, Any], str]]:
    """The id, the entry and the place of each entry of a list; an id that says two things is an error."""
    entries: dict[Any, tuple[Any, Mapping[str, Any], str]] = {}
    listed = document.get(name) or []
    if not isinstance(listed, list):
        raise _not_whole(f"{path}", f"{name!r} is no list, but {str(listed)[:40]}")
    for number, entry in enumerate(listed):
        where = f"{path}, {name}[{number}]"
        key = _get(entry, "id", where)
        if not isinstance(key, int | str):
            raise MaskError(f"{where}: expected a number or a text as 'id', found {str(key)[:40]}.")
        first = entries.setdefault(key, (key, entry, where))
        if first[1] != entry:
            raise MaskError(f"{where}: the id {key!r} is given twice, and {first[2]} tells something else.")
    return list(entries.values())


def _get(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise _not_whole(
            where, f"{name!r} is missing" if isinstance(entry, dict) else f"found {str(entry)[:40]}"
        )
    return entry[name]


def _not_whole(where: str, why: str) -> MaskError:
    return MaskError(f"{where}: not a whole COCO file: {why}. Correct it, or export it again.")


def _add(
    drawn: dict[Any, _Drawn],
    images: Mapping[Any, Any],
    labels: Mapping[Any, str],
    entry: Any,
    where: str,
    fill_boxes: bool,
) -> None:
    """Add the outlines of an annotation to those of its image."""
    key = _get(entry, "image_id", where)
    where += f", id {str(entry['id'])[:40]}" if "id" in entry else ""
    if not isinstance(key, int | str) or key not in images:
        raise MaskError(
            f"{where}: image_id {str(key)[:40]} ({type(key).__name__}) is not among the images, whose ids "
            f"are such as {next(iter(images), 'none')!r}."
        )
    where += f" (image {images[key]['file_name']})"
    category = entry.get("category_id")
    if labels and (not isinstance(category, int | str) or category not in labels):
        raise MaskError(f"{where}: category_id {str(category)[:40]} is not among the categories.")
    film = drawn[key]
    shapes, left_out = _outlines(entry.get("segmentation"), labels.get(category, ""), where)
    if not shapes and fill_boxes and "bbox" in entry:
        shapes = [_box(entry["bbox"], labels.get(category, ""), where)]
    film.shapes += shapes
    film.notes += left_out
    if not shapes:
        film.missing = f"{where} has no segmentation that encloses an area"
        film.missing += ", but a box, which --weak-masks fills" if entry.get("bbox") else ""


def _box(box: Any, label: str, where: str) -> Box:
    try:
        left, top, width, height = (check_coordinate(float(value), where) for value in box)
    except (TypeError, ValueError) as error:
        raise MaskError(f"{where}: expected a box [x, y, width, height], found {str(box)[:60]}.") from error
    return Box.of(left, top, left + width, top + height, label)


def _outlines(segmentation: Any, label: str, where: str) -> tuple[list[Shape], list[str]]:
    """The shapes of a segmentation, and what was left out of it."""
    if not segmentation:
        return [], []
    if isinstance(segmentation, dict):
        return [_runs(segmentation, label, where)], []
    if not isinstance(segmentation, list) or not all(isinstance(flat, list) for flat in segmentation):
        raise MaskError(
            f"{where}: expected a list of polygons or run lengths, found {str(segmentation)[:60]}."
        )
    polygons: list[Shape] = []
    left_out = []
    for flat in segmentation:
        if len(flat) % 2:
            raise MaskError(f"{where}: a polygon has x and y in turn, but this one has {len(flat)} numbers.")
        points = read_points(list(zip(flat[::2], flat[1::2], strict=True)), where)
        if len(points) < 3:
            left_out.append(
                f"{where}: a polygon needs at least three points, found {len(points)}; it was left out."
            )
        else:
            polygons.append(Polygon(points, label))
    return polygons, left_out


def _runs(segmentation: Mapping[str, Any], label: str, where: str) -> Runs:
    try:
        height, width = (int(value) for value in segmentation["size"])
        counts = segmentation["counts"]
        runs = _decode_runs(counts, where) if isinstance(counts, str) else [int(value) for value in counts]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MaskError(
            f"{where}: expected run lengths {{'size': [height, width], 'counts': [...]}}, found "
            f"{str(segmentation)[:60]}."
        ) from error
    total = sum(runs)
    if (
        total != width * height
        or min(runs, default=0) < 0
        or not 0 < width * height <= MAX_PIXELS
        or width < 0
    ):
        raise MaskError(
            f"{where}: the run lengths sum to {_short(total)}, expected {_short(width)} x {_short(height)}."
        )
    return Runs(tuple(runs), width, height, label)


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**12 else f"{'-' if number < 0 else ''}more than 10^12"


def _decode_runs(text: str, where: str) -> list[int]:
    """COCO's compressed run lengths: digits of base 32, from the fourth number on as differences.

    Source: Lin, T.-Y. et al. (2014), Microsoft COCO, ECCV; the format of its `maskApi`.
    """
    runs: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            if position >= len(text):
                raise MaskError(f"{where}: a compressed run length breaks off.")
            digit = ord(text[position]) - 48
            if not 0 <= digit < 64 or shift > 60:
                raise MaskError(f"{where}: {text[position]!r} is no digit of a compressed run length.")
            value |= (digit & 0x1F) << shift
            more, shift, position = bool(digit & 0x20), shift + 5, position + 1
            if not more and digit & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
