"""Annotations in the form of COCO: polygons, and run lengths plain and compressed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from flexunet.data.images.files import MAX_PIXELS
from flexunet.errors import MaskError


def read_coco(path: Path, document: Mapping[str, Any]) -> dict[str, FilmAnnotation]:
    """COCO: polygons and run lengths; an image listed without any annotation is normal."""
    try:
        labels = {entry["id"]: str(entry["name"]) for entry in document.get("categories") or []}
        images = {entry["id"]: entry for entry in document["images"]}
        stems = {key: Path(str(entry["file_name"]).replace("\\", "/")).stem for key, entry in images.items()}
        shapes: dict[Any, list[Circle | Polygon | Runs]] = {key: [] for key in images}
        without: dict[Any, str] = {}
        for entry in document["annotations"]:
            where = f"{path}, annotation {entry.get('id', '?')}"
            if entry["image_id"] not in images:
                raise MaskError(f"{where}: image_id {entry['image_id']} is not among the images.")
            label = labels.get(entry.get("category_id"), "")
            drawn = _coco_shapes(entry.get("segmentation"), label, where)
            shapes[entry["image_id"]] += drawn
            if not drawn:
                without[entry["image_id"]] = f"{where} has no segmentation"
        found: dict[str, FilmAnnotation] = {}
        for key, entry in images.items():
            state = UNKNOWN if key in without else ANNOTATED if shapes[key] else NORMAL
            width, height = (int(entry[name]) if entry.get(name) else None for name in ("width", "height"))
            if stems[key] in found:
                raise MaskError(
                    f"{path} lists two images named {stems[key]!r}; each film needs its own name."
                )
            drawn_shapes = () if key in without else tuple(shapes[key])
            found[stems[key]] = FilmAnnotation(
                state, drawn_shapes, width, height, reason=without.get(key, "")
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise MaskError(f"{path} is not a whole COCO file: {type(error).__name__} {error}.") from error
    return found


def _coco_shapes(segmentation: Any, label: str, where: str) -> list[Circle | Polygon | Runs]:
    if not segmentation:
        return []
    if isinstance(segmentation, dict):
        height, width = (int(value) for value in segmentation["size"])
        counts = segmentation["counts"]
        runs = _decode_runs(counts) if isinstance(counts, str) else [int(value) for value in counts]
        if sum(runs) != width * height or min(runs, default=0) < 0 or width * height > MAX_PIXELS:
            raise MaskError(f"{where}: the run lengths sum to {sum(runs)}, expected {width} x {height}.")
        return [Runs(tuple(runs), width, height, label)]
    polygons: list[Circle | Polygon | Runs] = []
    for flat in segmentation:
        if len(flat) < 6 or len(flat) % 2:
            raise MaskError(f"{where}: a polygon needs at least three points, found {len(flat) / 2:g}.")
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        polygons.append(Polygon(read_points(pairs, where), label))
    return polygons


def _decode_runs(text: str) -> list[int]:
    """COCO's compressed run lengths: digits of base 32, from the fourth number on as differences.

    Source: Lin, T.-Y. et al. (2014), Microsoft COCO, ECCV; the format of its `maskApi`.
    """
    runs: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            if position >= len(text):
                raise MaskError("a compressed run length breaks off.")
            digit = ord(text[position]) - 48
            value |= (digit & 0x1F) << shift
            more, shift, position = bool(digit & 0x20), shift + 5, position + 1
            if not more and digit & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
