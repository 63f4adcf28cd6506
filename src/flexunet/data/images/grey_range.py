"""Which values of 16-bit files are black and white: `[image] range`.

Detectors give 10, 12 or 14 bits, and many exporters put these into 16-bit files as they are: white is then
4095, not 65535, and all of the film would be nearly black. `full` takes 0 to 65535. `LOW,HIGH` takes these
two values. `auto` takes the fewest bits (8, 10, 12, 14, 16) that hold the highest value. DICOM files are not
concerned, as their header tells (`[image] dicom_window`), nor are 8-bit files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flexunet.errors import ConfigError, ImageError

RANGE_RULES = ("auto", "full")
_WHITE, _EIGHT_BITS = 65535, 255
_BITS = (8, 10, 12, 14)


def check_range(rule: str) -> tuple[int, int] | None:
    """Black and white of an explicit range, None for a rule by name.

    Raises:
        ConfigError: if the text is neither.
    """
    if rule in RANGE_RULES:
        return None
    try:
        low, high = (int(part) for part in rule.split(","))
    except ValueError:
        low, high = 0, 0
    if not 0 <= low < high <= _WHITE:
        raise ConfigError(
            f"[image] range: expected {', '.join(RANGE_RULES)} or LOW,HIGH with 0 <= LOW < HIGH <= {_WHITE}, "
            f"found {rule!r}"
        )
    return low, high


def range_of_highest(highest: int) -> str:
    """The range of 16-bit images whose highest value is known: that of the fewest bits which hold it."""
    bits = next((bits for bits in _BITS if highest < 1 << bits), 16)
    return "full" if bits == 16 else f"0,{(1 << bits) - 1}"


def apply_range(image: np.ndarray, rule: str) -> np.ndarray:
    """A 16-bit image with its range brought to 0..65535; any other image as it is.

    Args:
        image: Any shape; uint16 is changed.
        rule: `full`, `LOW,HIGH`, or `auto`: by the highest value of this image.

    Raises:
        ConfigError: if there is no such rule.
    """
    bounds = check_range(rule)
    if image.dtype != np.uint16 or image.size == 0:
        return image
    if rule == "auto":
        bounds = check_range(range_of_highest(int(image.max())))
    if bounds is None:
        return image
    low, high = bounds
    levels = (np.clip(np.arange(_WHITE + 1), low, high) - low) / (high - low) * _WHITE
    return np.rint(levels).astype(np.uint16)[image]


def grey_levels(path: Path, values: np.ndarray, rule: str, *, stored: bool = False) -> np.ndarray:
    """Values of any kind as grey levels with their range applied: uint8 or uint16, of the same shape.

    Whole numbers from 0 to 65535 are those of 8- or 16-bit files. Others need an explicit range, and so do
    floating-point values up to 1, of which 1 may be black or white.

    Args:
        path: Their file, for messages.
        values: Numbers.
        rule: As in `apply_range`.
        stored: Whether 1 is the number 1 and not white, as in masks.

    Raises:
        ImageError: if the values are no grey levels and no range tells which are black and white.
        ConfigError: if there is no such rule.
    """
    if values.dtype in (np.uint8, np.uint16):
        return apply_range(values, rule)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if values.dtype.kind not in "buif" or not np.isfinite(low + high):
        raise ImageError(f"{path} has values that are no finite numbers. Export it again.")
    counted = values.dtype.kind != "f" or ((high > 1 or stored) and (values == np.rint(values)).all())
    if counted and low >= 0 and high <= _WHITE:
        return apply_range(values.astype(np.uint8 if high <= _EIGHT_BITS else np.uint16), rule)
    bounds = check_range(rule)
    if bounds is None:
        raise ImageError(
            f"{path} has floating-point or negative values, from {low:g} to {high:g}; expected grey levels "
            "of 8 or 16 bit. Say which values are black and white with a range LOW,HIGH (derive --range, "
            "[image] range), or convert it to PNG or TIFF."
        )
    black, white = bounds
    share = (np.clip(values.astype(np.float64), black, white) - black) / (white - black)
    return np.rint(share * _WHITE).astype(np.uint16)


def say_range(rule: str, highest: int, count: int, where: str) -> str:
    """A sentence on 16-bit images that do not use their range; "" where they do.

    Args:
        rule: How they are read, as in `apply_range`.
        highest: Their highest value.
        count: How many there are.
        where: What they are, such as "training images".
    """
    own = range_of_highest(highest)
    if own == "full":
        return ""
    read = f"read with [image] range = {own!r}" if rule == "auto" else f"read with [image] range = {rule!r}"
    dark = (
        f". They are nearly black so: set [image] range = {own!r}, if the model was trained on such images"
        if rule == "full"
        else ""
    )
    if count == 1:
        where = where.removesuffix("s")
    return (
        f"{count} 16-bit {where} {'has' if count == 1 else 'have'} values to {highest} of {_WHITE} "
        f"({100 * highest / _WHITE:.1f} % of the range): {read}{dark}."
    )


def recorded_rule(environment: Path) -> str:
    """The range that a run was trained with, by its `environment.json`.

    `auto` where there was no training here, so that nothing is known; `full` for runs of versions that knew
    no other.
    """
    import json

    try:
        told = json.loads(environment.read_text(encoding="utf-8"))
        return str(told.get("grey_range", "full"))
    except (OSError, ValueError, AttributeError):
        return "auto"
