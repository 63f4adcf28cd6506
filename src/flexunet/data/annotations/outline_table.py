"""Outlines in a table: a circle or polygon a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Annotations,
    Circle,
    FilmAnnotation,
    Polygon,
)
from flexunet.data.annotations.values import check_coordinate, read_frame
from flexunet.data.images.files.names import name_stem
from flexunet.data.tables import read_table
from flexunet.errors import MaskError

_NORMAL_WORDS = {"norm", "normal", "none", "negative", "healthy", "non-cancer", "no lesion", "no finding"}
_DECIMAL_COMMA = re.compile(r"\s*[-+]?[0-9]+,[0-9]+\s*")


def read_outline_table(path: Path) -> Annotations:
    """CSV: `image`, and `x, y, radius` or `points`; further columns as docs/derive.md lists them.

    Where cells are not separated by commas, `10,5` is ten and a half, as in many countries.

    Raises:
        MaskError: if it has no such columns, or a row makes no sense; names the line.
    """
    table = read_table(path, error=MaskError)
    if "points" not in table.named and not {"x", "y", "radius"} <= table.named.keys():
        raise MaskError(
            f"{path} has no outlines: expected the columns image, x, y, radius or image, points, found "
            f"{', '.join(table.named) or 'no header'}. (A table of facts without coordinates goes to "
            "--table.)"
        )
    image_column = table.find("image", "file", "filename", "file name", "image_id")
    films = Annotations(notes=table.notes)
    for line, row in table.rows:
        where = table.where(line)
        cell = {name: row[column].strip() for name, column in table.named.items()}
        if not any(cell.values()):
            continue
        stem = name_stem(row[image_column])
        if not stem:
            raise MaskError(f"{where}: the image's name is missing.")
        films.add(stem, _film(cell, where, decimal_comma=table.separator != ","), where)
    return films


def _film(cell: Mapping[str, str], where: str, decimal_comma: bool) -> FilmAnnotation:
    def number(text: str) -> float:
        return _number(
            text.replace(",", ".") if decimal_comma and _DECIMAL_COMMA.fullmatch(text) else text, where
        )

    label = cell.get("label") or cell.get("class") or cell.get("classes") or ""
    width, height = read_frame(cell.get("width"), cell.get("height"), where)
    from_bottom = cell.get("origin", "").lower() in ("bottom", "bottom-left", "lower-left")
    if from_bottom and height is None:
        raise MaskError(f"{where}: coordinates from the bottom need the column height.")

    def down(y: float) -> float:
        return height - y if from_bottom and height is not None else y

    if cell.get("points"):
        words = cell["points"].strip("[]() ")
        if decimal_comma and all(map(_DECIMAL_COMMA.fullmatch, words.split())):
            raise MaskError(
                f"{where}: is {words.split()[0]!r} in points one number or two? Write decimal points, and "
                "blanks between numbers."
            )
        values = [_number(word, where) for word in re.split(r"[\s,;]+", words)]
        points = tuple((x, down(y)) for x, y in zip(values[::2], values[1::2], strict=False))
        if len(values) % 2 or len(points) < 3:
            raise MaskError(
                f"{where}: a polygon needs at least three points 'x y x y x y', found {len(values) / 2}."
            )
        return FilmAnnotation(ANNOTATED, (Polygon(points, label),), width, height)
    given = [cell.get(name, "") for name in ("x", "y", "radius")]
    if all(given):
        x, y, radius = map(number, given)
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


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value:
        raise MaskError(f"{where}: expected a number, found {text[:40]!r}.")
    return check_coordinate(value, where)
