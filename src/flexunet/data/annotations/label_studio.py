"""Annotations of Label Studio, JSON: brush run lengths, polygons, rectangles, ellipses and key points.

Source: the pages "Label Studio JSON format" and on brush labels of its documentation; run lengths as the
library rle-pack of thi.ng describes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.annotations.pixels import runs_of
from flexunet.data.annotations.shapes import (
    ANNOTATED,
    BROKEN,
    NORMAL,
    UNMARKED,
    Annotations,
    Box,
    Dot,
    Ellipse,
    FilmAnnotation,
    Polygon,
    Runs,
    Shape,
    turned,
)
from flexunet.data.annotations.values import check_coordinate, read_frame, read_points
from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.names import name_stem
from flexunet.errors import MaskError

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what the program puts before the name of an uploaded file
_NO_SHAPES = ("choices", "textarea", "rating", "labels", "number", "datetime", "taxonomy", "relation")
_CHANNELS = 4  # a brush paints RGBA, and its opacity is the mask


def is_label_studio(document: Any) -> bool:
    """Whether a JSON document is a list of tasks with annotations."""
    tasks = document if isinstance(document, list) else []
    return bool(tasks) and all(
        isinstance(task, dict) and {"data", "annotations"} <= task.keys() for task in tasks
    )


def read_label_studio(path: Path, tasks: list[dict[str, Any]]) -> Annotations:
    """Shapes by film.

    An annotation without regions says that the film is normal; a film without annotation is `unmarked`. Of
    several annotations of a film the one marked as ground truth counts; without one the film is `broken`,
    since nobody says whose word counts.

    Raises:
        MaskError: if two tasks are of one film, or a task names no image.
    """
    films = Annotations()
    for number, task in enumerate(tasks):
        where = f"{path}, task {task.get('id', number)}"
        stem = _stem(task, where)
        if stem in films:
            raise MaskError(f"{where} is the second of the film {stem!r}; each film needs its own name.")
        try:
            films[stem] = _film(task, where)
        except MaskError as error:
            films[stem] = FilmAnnotation(BROKEN, reason=str(error))
    return films


def _stem(task: dict[str, Any], where: str) -> str:
    data = task["data"] if isinstance(task["data"], dict) else {}
    texts = [value for value in data.values() if isinstance(value, str) and name_stem(value)]
    named = data.get("image") if isinstance(data.get("image"), str) else None
    if named is None and len(texts) != 1:
        raise MaskError(f"{where}: expected the file of its image as data.image, found {str(data)[:60]}.")
    file = named or texts[0]
    stem = name_stem(file.partition("?")[0])
    return _UPLOADED.sub("", stem, count=1) if "/upload/" in file else stem


def _film(task: dict[str, Any], where: str) -> FilmAnnotation:
    drawn = [each for each in _list(task, "annotations", where) if isinstance(each, dict)]
    drawn = [each for each in drawn if not each.get("was_cancelled")]
    if len(drawn) > 1:
        chosen = [each for each in drawn if each.get("ground_truth")]
        if len(chosen) != 1:
            raise MaskError(
                f"{where} has {len(drawn)} annotations. Mark the one that counts as ground truth, or export "
                "those of one annotator."
            )
        drawn = chosen
    if not drawn:
        return FilmAnnotation(UNMARKED, reason=f"{where}: nobody annotated it")
    shapes: list[Shape] = []
    frames = set()
    for region in _list(drawn[0], "result", where):
        if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
            raise MaskError(f"{where}: expected a region with a value, found {str(region)[:60]}.")
        kind = str(region.get("type"))
        if kind in _NO_SHAPES:
            continue
        frames.add(read_frame(region.get("original_width"), region.get("original_height"), where))
        if region.get("image_rotation"):
            raise MaskError(f"{where}: the image was turned while it was annotated. Turn it back first.")
        shapes += _shapes(kind, region["value"], max(frames), where)
    if len(frames) > 1 or (shapes and None in max(frames)):
        raise MaskError(f"{where}: expected one original_width and original_height, found {frames}.")
    width, height = frames.pop() if frames else (None, None)
    return FilmAnnotation(ANNOTATED if shapes else NORMAL, tuple(shapes), width, height)


def _shapes(
    kind: str, value: dict[str, Any], frame: tuple[int | None, int | None], where: str
) -> Iterator[Shape]:
    width, height = frame
    if width is None or height is None:
        raise MaskError(f"{where}: a region needs original_width and original_height.")
    shape = kind.removesuffix("labels")
    names = value.get(kind)
    label = str(names[0]) if isinstance(names, list) and names else ""
    where = f"{where}, {shape} ({label})"

    def percent(key: str, whole: int, otherwise: float | None = None) -> float:
        try:
            return check_coordinate(float(value.get(key, otherwise)) * whole / 100, where)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise MaskError(f"{where}: expected a number as {key!r}.") from error

    if shape == "brush":
        yield _brush(value, width, height, label, where)
    elif shape == "polygon":
        points = read_points(value.get("points"), where)
        if len(points) < 3:
            raise MaskError(f"{where}: a polygon needs at least three points, found {len(points)}.")
        yield Polygon(tuple((x * width / 100, y * height / 100) for x, y in points), label)
    elif shape == "rectangle":
        # It is turned about its upper left corner, not about its middle.
        x, y = percent("x", width), percent("y", height)
        far_x, far_y = x + percent("width", width), y + percent("height", height)
        corners, angle = Box.of(x, y, far_x, far_y).points, percent("rotation", 100, 0)
        yield Box(tuple(turned(corner, (x, y), angle) for corner in corners), label)
    elif shape == "ellipse":
        radii = percent("radiusX", width), percent("radiusY", height)
        if min(radii) <= 0:
            raise MaskError(f"{where}: an ellipse needs radii above 0.")
        yield Ellipse(percent("x", width), percent("y", height), *radii, label, percent("rotation", 100, 0))
    elif shape == "keypoint":
        yield Dot(percent("x", width), percent("y", height), label)
    else:
        raise MaskError(f"{where}: {kind[:40]!r} is no region that is read.")


def _brush(value: dict[str, Any], width: int, height: int, label: str, where: str) -> Runs:
    packed = value.get("rle")
    if value.get("format", "rle") != "rle" or not isinstance(packed, list) or width * height > MAX_PIXELS:
        raise MaskError(f"{where}: expected run lengths as 'rle', found the format {value.get('format')!r}.")
    try:
        content = np.array(packed, np.uint8)
    except (TypeError, ValueError, OverflowError) as error:
        raise MaskError(f"{where}: run lengths are bytes from 0 to 255. Export it again.") from error
    painted = unpack_runs(content, _CHANNELS * width * height, where)
    opacity = painted.reshape(height, width, _CHANNELS)[..., 3]
    return runs_of(opacity > 0, 0, 0, width, height, label)


def unpack_runs(content: np.ndarray, size: int, where: str) -> np.ndarray:
    """Values of packed run lengths, uint8 `(size,)`.

    32 bits give the number of values, 5 the bits of a value less one, four times 4 the bits of a length less
    one. Then, again and again: one bit that says whether a value is repeated, two that say which of the four
    lengths is used, the length less one, and the value, or as many values.

    Args:
        content: The bytes, uint8.
        size: How many values there have to be.
        where: Their place, for messages.

    Raises:
        MaskError: if they are cut short, or make another number of values.
    """
    bits, place = np.unpackbits(content), 0

    def take(count: int, width: int) -> np.ndarray:
        nonlocal place
        part = bits[place : place + count * width]
        if len(part) < count * width:
            raise MaskError(f"{where}: the run lengths break off. Export it again.")
        place += count * width
        return part.reshape(count, width) @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))

    total, width = int(take(1, 32)[0]), int(take(1, 5)[0]) + 1
    if total != size or width > 8:
        raise MaskError(
            f"{where}: the run lengths make {total} values of {width} bits; expected {size} of 8 at most."
        )
    lengths = [int(length) + 1 for length in take(4, 4)]
    values, done = np.zeros(size, np.uint8), 0
    while done < size:
        repeated, which = int(take(1, 1)[0]), int(take(1, 2)[0])
        count = int(take(1, lengths[which])[0]) + 1
        if count > size - done:
            raise MaskError(f"{where}: the run lengths make more than {size} values. Export it again.")
        values[done : done + count] = take(1 if repeated else count, width)
        done += count
    return values


def _list(entry: dict[str, Any], key: str, where: str) -> list[Any]:
    listed = entry.get(key)
    if not isinstance(listed, list):
        raise MaskError(f"{where}: expected a list as {key!r}, found {str(listed)[:40]}.")
    return listed
