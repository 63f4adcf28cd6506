"""Outlines that people drew elsewhere: circles and polygons in text, CSV and JSON files, turned into masks.

    annotations = read_annotations("Info.txt")
    film = annotations["mdb001"]
    mask = film.rasterise(1024, 1024)

Read are: the truth table of mini-MIAS (`Info.txt`), CSV with a circle or polygon a row, COCO and LabelMe JSON
(a file, or a folder of LabelMe files). A film whose lesions are known to exist but not where they are is
`unknown`; it is never taken for a normal one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.annotations.coco import read_coco
from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Circle,
    FilmAnnotation,
    Polygon,
    Runs,
    read_points,
)
from flexunet.data.tables import unshield
from flexunet.errors import FlexUNetError, MaskError, PathError

_NORMAL_WORDS = {"norm", "normal", "none", "negative", "healthy", "non-cancer", "no lesion", "no finding"}
_MIAS_SIZE = 1024
_COORDINATE = re.compile(r"[0-9]{1,5}")
_MIAS_LINE = re.compile(r"(?P<film>mdb\d{3})\s+(?P<tissue>[FGD])\s+(?P<label>[A-Z]{4})\b\s*(?P<rest>.*)")


def read_annotations(path: Path | str) -> dict[str, FilmAnnotation]:
    """Read all annotations of a file or folder, by the stem of the film's file name.

    Raises:
        PathError: if nothing is there.
        MaskError: if the file is in none of the known forms, or a value in it makes no sense.
    """
    path = Path(path)
    try:
        return _read(path)
    except FlexUNetError:
        raise
    except Exception as error:  # a field of another type than its format has, anywhere in the document
        raise MaskError(
            f"annotations {path}: a field has another form than expected ({type(error).__name__}: "
            f"{str(error)[:200]}). Correct it, or write the file again."
        ) from error


def _read(path: Path) -> dict[str, FilmAnnotation]:
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise PathError(f"no annotations in {path}: expected LabelMe files ending in .json.")
        found: dict[str, FilmAnnotation] = {}
        for file in files:
            document = _load_json(file)
            if "shapes" not in document:
                raise MaskError(f"{file} is not a LabelMe file: expected the key 'shapes'.")
            stem, annotation = _read_labelme(file, document)
            if stem in found:
                raise MaskError(f"{path} annotates {stem!r} twice, the second time in {file.name}.")
            found[stem] = annotation
        return found
    if not path.is_file():
        raise PathError(f"annotations {path} do not exist. Check the path.")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return _read_mias(path)
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".json":
        document = _load_json(path)
        if "shapes" in document:
            return dict([_read_labelme(path, document)])
        if "images" in document and "annotations" in document:
            return read_coco(path, document)
        raise MaskError(
            f"{path} is neither COCO (keys 'images' and 'annotations') nor LabelMe (key 'shapes'); it has "
            f"{', '.join(list(document)[:8]) or 'no keys'}."
        )
    raise MaskError(f"cannot read annotations from {path}: expected .txt (mini-MIAS), .csv or .json.")


def _read_mias(path: Path) -> dict[str, FilmAnnotation]:
    """The truth table of mini-MIAS: `mdb001 G CIRC B 535 425 197`, y counted from the bottom of 1024 pixels.

    Source: Suckling, J. et al. (1994), The Mammographic Image Analysis Society digital mammogram database,
        Excerpta Medica International Congress Series 1069, 375-378.
    """
    found: dict[str, FilmAnnotation] = {}
    for line in _read_text(path).splitlines():
        match = _MIAS_LINE.match(line.strip())
        if not match:
            continue
        words = match["rest"].split()
        severity = words[0] if words and words[0] in ("B", "M") else ""
        numbers = words[1:4] if severity else words[:3]
        shapes: tuple[Circle, ...] = ()
        state, reason = UNKNOWN, f"{path.name}: {line.strip()!r} gives no coordinates"
        if len(numbers) == 3 and all(_COORDINATE.fullmatch(number) for number in numbers):
            x, y, radius = (int(number) for number in numbers)
            shapes = (Circle(x, _MIAS_SIZE - y, radius, match["label"]),)
            state, reason = ANNOTATED, ""
        elif match["label"] == "NORM":
            state, reason = NORMAL, ""
        number = int(match["film"][3:])  # odd films are right breasts; films 2k - 1 and 2k are of one person
        columns = {
            "patient": f"mias{(number + 1) // 2:03d}",
            "side": "R" if number % 2 else "L",
            "tissue": match["tissue"],
            "finding": match["label"],
            "severity": severity,
        }
        film = FilmAnnotation(state, shapes, _MIAS_SIZE, _MIAS_SIZE, True, reason, columns)
        _merge(found, match["film"], film, path)
    if not found:
        raise MaskError(f"{path} is no mini-MIAS table: expected lines like 'mdb001 G CIRC B 535 425 197'.")
    return found


def _read_csv(path: Path) -> dict[str, FilmAnnotation]:
    """CSV: `image`, and `x, y, radius` or `points`; further columns as docs/derive.md lists them."""
    reader = csv.DictReader(io.StringIO(_read_text(path)), skipinitialspace=True)
    names = {name.strip().lower(): name for name in reader.fieldnames or [] if name}
    image_column = next(
        (names[name] for name in ("image", "file", "filename", "image_id") if name in names), None
    )
    has_shapes = "points" in names or {"x", "y", "radius"} <= names.keys()
    if image_column is None or not has_shapes:
        raise MaskError(
            f"{path} has no outlines: expected the columns image, x, y, radius or image, points, found "
            f"{', '.join(names) or 'no header'}. (A table of facts without coordinates goes to --table.)"
        )
    found: dict[str, FilmAnnotation] = {}
    for number, row in enumerate(reader, 2):
        cell = {name: unshield(row[column] or "").strip() for name, column in names.items()}
        stem = Path(unshield(row[image_column] or "").strip().replace("\\", "/")).stem
        if not stem:
            raise MaskError(f"{path}, line {number}: the image's name is missing.")
        _merge(found, stem, _csv_film(path, number, cell), path)
    return found


def _csv_film(path: Path, number: int, cell: Mapping[str, str]) -> FilmAnnotation:
    where = f"{path}, line {number}"
    label = cell.get("label") or cell.get("class") or cell.get("classes") or ""
    width = int(_number(cell["width"], where)) if cell.get("width") else None
    height = int(_number(cell["height"], where)) if cell.get("height") else None
    from_bottom = cell.get("origin", "").lower() in ("bottom", "bottom-left", "lower-left")
    if from_bottom and height is None:
        raise MaskError(f"{where}: coordinates from the bottom need the column height.")

    def down(y: float) -> float:
        return height - y if from_bottom and height is not None else y

    if cell.get("points"):
        values = [_number(word, where) for word in re.split(r"[\s,;]+", cell["points"].strip("[]() "))]
        points = tuple((x, down(y)) for x, y in zip(values[::2], values[1::2], strict=False))
        if len(values) % 2 or len(points) < 3:
            raise MaskError(
                f"{where}: a polygon needs at least three points 'x y x y x y', found {len(values) / 2}."
            )
        return FilmAnnotation(ANNOTATED, (Polygon(points, label),), width, height)
    given = [cell.get(name, "") for name in ("x", "y", "radius")]
    if all(given):
        x, y, radius = (_number(word, where) for word in given)
        if radius <= 0:
            raise MaskError(f"{where}: a circle needs a radius above 0, found {radius:g}.")
        return FilmAnnotation(ANNOTATED, (Circle(x, down(y), radius, label),), width, height)
    if any(given):
        raise MaskError(f"{where}: a circle needs x, y and radius, found {given}.")
    if {label.lower(), cell.get("status", "").lower()} & _NORMAL_WORDS:
        return FilmAnnotation(NORMAL, (), width, height)
    return FilmAnnotation(
        UNKNOWN, (), width, height, reason=f"{where} gives no coordinates and does not say normal"
    )


def _read_labelme(path: Path, document: Mapping[str, Any]) -> tuple[str, FilmAnnotation]:
    """LabelMe: polygons, circles (middle and a point on the rim) and rectangles (two corners)."""
    stem = Path(str(document.get("imagePath") or path.name).replace("\\", "/")).stem
    shapes: list[Circle | Polygon | Runs] = []
    for number, shape in enumerate(document["shapes"]):
        where = f"{path}, shape {number}"
        points = read_points(shape.get("points") if isinstance(shape, dict) else None, where)
        kind, label = shape.get("shape_type") or "polygon", str(shape.get("label") or "")
        if kind == "circle" and len(points) == 2:
            (x, y), (rim_x, rim_y) = points
            shapes.append(Circle(x, y, float(np.hypot(rim_x - x, rim_y - y)), label))
        elif kind == "rectangle" and len(points) == 2:
            (x, y), (far_x, far_y) = points
            shapes.append(Polygon(((x, y), (far_x, y), (far_x, far_y), (x, far_y)), label))
        elif kind == "polygon" and len(points) >= 3:
            shapes.append(Polygon(points, label))
        else:
            raise MaskError(f"{where}: a {kind} of {len(points)} points encloses no area.")
    width, height = (
        int(document[name]) if document.get(name) else None for name in ("imageWidth", "imageHeight")
    )
    return stem, FilmAnnotation(ANNOTATED if shapes else NORMAL, tuple(shapes), width, height)


def _merge(found: dict[str, FilmAnnotation], stem: str, film: FilmAnnotation, path: Path) -> None:
    """Add a row to what is known of a film; one row without coordinates makes the whole film unknown."""
    before = found.get(stem)
    if before is None:
        found[stem] = film
        return
    if (before.width, before.height) != (film.width, film.height):
        raise MaskError(f"{path} gives two frame sizes for {stem!r}.")
    if UNKNOWN in (before.state, film.state):
        found[stem] = replace(before if before.state == UNKNOWN else film, shapes=())
    elif before.state != film.state:
        raise MaskError(f"{path} calls {stem!r} both normal and annotated. Correct one of the rows.")
    else:
        found[stem] = replace(before, shapes=before.shapes + film.shapes)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise MaskError(f"{where}: expected a number, found {text!r}.")
    return value


def _load_json(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise MaskError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(document, dict):
        raise MaskError(f"{path}: expected a JSON object, found a {type(document).__name__}.")
    return document


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1")
