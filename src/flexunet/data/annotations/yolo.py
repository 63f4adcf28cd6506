"""Annotations of YOLO: a text file a film, with a polygon or a box a line, in shares of its size.

Source: the pages on detection and segmentation data sets of the Ultralytics documentation.
"""

from __future__ import annotations

from pathlib import Path

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Box,
    FilmAnnotation,
    Polygon,
    RelativeAnnotation,
)
from flexunet.data.annotations.values import read_points
from flexunet.data.tables import decode_text
from flexunet.errors import MaskError

NAMES = ("classes.txt", "obj.names")
_BOX = 5
_SMALLEST_POLYGON = 7
_BEYOND = 1.5  # of the film; more is no share, but pixels


def is_yolo(path: Path) -> bool:
    """Whether a text file holds nothing but lines of a class and numbers; an empty one does."""
    if path.name in NAMES:
        return False
    lines = [line.split() for line in decode_text(path, "text file", MaskError)[0].splitlines()]
    return all(len(words) >= _BOX and all(map(_is_number, words)) for words in lines if words)


def read_yolo(path: Path, fill_boxes: bool = False) -> FilmAnnotation:
    """The shapes of a film. An empty file says that it is normal.

    Args:
        path: The text file, named like its film; `classes.txt` or `obj.names` beside it names the classes,
            which are their numbers otherwise.
        fill_boxes: Whether boxes count as lesions; a film that has one is `unknown` otherwise.

    Raises:
        MaskError: if a line has another form.
    """
    names = _class_names(path.parent)
    shapes: list[Polygon] = []
    boxes = 0
    for number, line in enumerate(decode_text(path, "text file", MaskError)[0].splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {number}"
        label = _label(words[0], names, where)
        if len(words) == _BOX:
            ((x, y), (width, height)) = _shares(words[1:], where)
            shapes.append(Box.of(x - width / 2, y - height / 2, x + width / 2, y + height / 2, label))
            boxes += 1
        elif len(words) >= _SMALLEST_POLYGON and len(words) % 2:
            shapes.append(Polygon(_shares(words[1:], where), label))
        else:
            raise MaskError(
                f"{where}: expected a class with a box (x y width height) or with a polygon (x y x y x y "
                f"...), found {len(words)} numbers. Predictions with a confidence are no annotations."
            )
    if boxes and not fill_boxes:
        return RelativeAnnotation(
            UNKNOWN, reason=f"{path.name} marks it by boxes, which are no outlines; --weak-masks fills them"
        )
    return RelativeAnnotation(ANNOTATED if shapes else NORMAL, tuple(shapes))


def _shares(words: list[str], where: str) -> tuple[tuple[float, float], ...]:
    points = read_points(zip(words[::2], words[1::2], strict=True), where)
    if farthest := next((value for point in points for value in point if abs(value) > _BEYOND), None):
        raise MaskError(f"{where}: expected shares of the film's size, from 0 to 1, found {farthest:g}.")
    return points


def _label(word: str, names: list[str], where: str) -> str:
    if not word.isdigit():
        raise MaskError(f"{where}: expected the number of a class, found {word[:40]!r}.")
    if not names:
        return word
    if int(word) >= len(names):
        raise MaskError(f"{where}: there is no class {word}: {NAMES[0]} names {len(names)}, counted from 0.")
    return names[int(word)]


def _class_names(folder: Path) -> list[str]:
    """Names of the classes from a file beside the labels, or in the folder above."""
    places = (place / name for place in (folder, folder.parent) for name in NAMES)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return []
    lines = decode_text(path, "text file", MaskError)[0].splitlines()
    return [line.strip() for line in lines if line.strip()]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
