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
    try:
        values = [float(part) for part in re.split(r"[\s,;x\\\[\]()]+", text.strip()) if part]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 < value < 1000 for value in values):
        raise DatasetError(
            f"the manifest row of {row.get('file', '?')!r} has the pixel spacing {text!r}: expected one or "
            "two positive numbers in mm, for example 0.07 or 0.07,0.08. Correct the row."
        )
    return values[0], values[-1]
