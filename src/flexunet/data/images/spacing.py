"""Pixel spacing as a manifest tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flexunet.errors import DatasetError

SPACING_COLUMNS = ("pixel_spacing_mm", "pixel_spacing")


def spacing_of_row(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Height and width of a pixel in mm from a row of the manifest; None where it does not tell.

    Raises:
        DatasetError: if what it tells is not one or two positive numbers.
    """
    text = next((row[column] for column in SPACING_COLUMNS if row.get(column)), "")
    if not text:
        return None
    return parse_spacing(text, f"the manifest row of {row.get('file', '?')!r}")


def parse_spacing(text: str, where: str) -> tuple[float, float]:
    """Pixel spacing in mm from text: one number, or height and width (`0.07`, `0.07,0.08`).

    Args:
        text: The text; comma, space, semicolon, `x` or DICOM's backslash separate.
        where: What to name in the error.

    Raises:
        DatasetError: if it is not one or two positive numbers.
    """
    parts = [part for part in re.split(r"[\s,;x\\\[\]()]+", text.strip()) if part]
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 < value < 1000 for value in values):
        raise DatasetError(
            f"{where}: pixel spacing must be one or two positive numbers in mm, e.g. 0.07; found {text!r}."
        )
    return values[0], values[-1]
