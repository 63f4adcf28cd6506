"""The windows that an image offers, in the units of its tiles.

A tile holds stored values, brightest tissue highest. So the functions of DICOM PS3.3 C.11.2.1, which speak of
values after rescaling, are moved: LINEAR becomes LINEAR_EXACT half a value lower and a value narrower, and
slope, intercept and the inversion of MONOCHROME1 move centre and width. Where a table stands between stored
values and grey levels (VOI LUT, modality LUT), the window is that table.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.dicom.read import is_dicom_file, read_header, refusing_damage
from flexunet.data.dicom.tones import stored_range, tone_table
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

Window = dict[str, Any]


def windows_of(path: Path, minimum: int, maximum: int, bits: int) -> list[Window]:
    """Windows of an image, the one to begin with first.

    Args:
        path: The image file.
        minimum: Least value of its tiles.
        maximum: Greatest value of its tiles.
        bits: Bits of a value: 8 or 16, or BitsStored of a DICOM file.

    Returns:
        Name, kind (`linear_exact`, `sigmoid` or `table`), centre and width, and of a table the grey level, 0
        to 255, of each value.
    """
    present = _linear("values present", minimum, maximum)
    whole = _linear("all values", 0, (1 << bits) - 1)
    if path.suffix.lower() in IMAGE_SUFFIXES or not is_dicom_file(path):
        return [whole, present] if bits == 8 else [present, whole]
    with refusing_damage(path):
        return [*_of_header(path, read_header(path)), present, whole]


def _linear(name: str, low: float, high: float) -> Window:
    return {"name": name, "kind": "linear_exact", "center": (low + high) / 2, "width": max(high - low, 1)}


def _of_header(path: Path, dataset: Dataset) -> list[Window]:
    if dataset.get("VOILUTSequence") or dataset.get("ModalityLUTSequence"):
        nothing = np.zeros((1, 1), np.int32)  # which values are present counts for other rules alone
        try:
            table, stored = (tone_table(path, dataset, rule, nothing) for rule in ("auto", "stored"))
        except ImageError:
            return []
        falling = np.sign(np.diff(stored.astype(np.int32))).sum() < 0
        levels = np.rint((table[::-1] if falling else table) / 257).astype(int).tolist()
        low, high = 0, len(levels) - 1
        return [{**_linear("VOI LUT of the file", low, high), "kind": "table", "table": levels}]
    centres, widths = _numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth")
    names = dataset.get("WindowCenterWidthExplanation") or []
    names = [names] if isinstance(names, str) else list(names)
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    kind = "sigmoid" if function == "SIGMOID" else "linear_exact"
    windows = []
    for number, (centre, width) in enumerate(zip(centres, widths, strict=False)):
        if function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
            continue
        name = str(names[number]) if number < len(names) and names[number] else f"window {number + 1}"
        centre, width = _in_tile_units(dataset, centre, width)
        windows.append({"name": name, "kind": kind, "center": centre, "width": width})
    return windows


def _in_tile_units(dataset: Dataset, centre: float, width: float) -> tuple[float, float]:
    slope = (_numbers(dataset, "RescaleSlope") or [1.0])[0] or 1.0
    intercept = (_numbers(dataset, "RescaleIntercept") or [0.0])[0]
    low, high = stored_range(dataset)
    stored = (centre - intercept) / slope
    inverted = (dataset.PhotometricInterpretation == "MONOCHROME1") != (slope < 0)
    return (high - stored if inverted else stored - low), width / abs(slope)


def _numbers(dataset: Dataset, name: str) -> list[float]:
    value = dataset.get(name)
    if value is None or value == "":
        return []
    try:
        return [float(each) for each in value]
    except TypeError:
        return [float(value)]
