"""From stored DICOM values to grey levels, as one table with an entry for each possible stored value.

Modality LUT or rescale, then VOI LUT or window, then PhotometricInterpretation (PS3.3 C.11.1, C.11.2,
C.7.6.3.1.2). A radiograph has at most 65,536 stored values, so the sums are done once for each value, not for
each of ten million pixels.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.dicom.window import check_window
from flexunet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

_WHITE = 65535
_FULL = 'or set [image] dicom_window = "full"'


def stored_range(dataset: Dataset) -> tuple[int, int]:
    """Least and greatest value that the stored bits can hold."""
    bits = dataset.BitsStored
    return (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dataset.PixelRepresentation else (0, (1 << bits) - 1)
    )


def tone_table(path: Path, dataset: Dataset, window: str, stored: np.ndarray) -> np.ndarray:
    """Grey level of each possible stored value.

    Args:
        path: The file, for messages.
        dataset: Its header.
        window: As in `read_dicom`.
        stored: The stored values, integer `(H, W)`; `range` asks which are present.

    Returns:
        uint16 array, first entry that of the least stored value. Pixel padding is black.

    Raises:
        ImageError: if rescale, window or LUT make no sense.
    """
    low, high = stored_range(dataset)
    levels = np.arange(low, high + 1)
    padded = _padding(dataset, levels)
    values = _modality(path, dataset, levels)
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    if window == "stored":
        if values[-1] < values[0]:
            inverted = not inverted
        table = high - levels if inverted else levels - low
    else:
        # In 32 bits: the range of 16 has no room for the difference.
        share = _shares(path, dataset, window, values, padded, stored.astype(np.int32) - low)
        table = np.rint((1 - share if inverted else share) * _WHITE)
    table = table.astype(np.uint16)
    table[padded] = 0
    return table


def _shares(
    path: Path, dataset: Dataset, window: str, values: np.ndarray, padded: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Output of the window rule for each value, 0 to 1."""
    given = check_window(window)
    if given:
        return linear_window(values, *given)
    if window == "auto":
        if dataset.get("VOILUTSequence"):
            return _voi_lut(path, dataset, values)
        if _first(dataset, "WindowWidth") is not None and _first(dataset, "WindowCenter") is not None:
            return _window(path, dataset, values)
    if window == "range":
        present = np.bincount(position.ravel(), minlength=len(values)) > 0
        chosen = values[present & ~padded]
        values = np.clip(values, *((chosen.min(), chosen.max()) if len(chosen) else (0, 0)))
    spread = float(values.max() - values.min())
    return (values - values.min()) / spread if spread else np.zeros(len(values))


def linear_window(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """The LINEAR function of PS3.3 C.11.2.1.2.1, output 0 to 1.

    `pydicom.pixels.apply_windowing` scales to the range of the stored bits; when that is undone, 2 of 4.5
    million grey levels are rounded to the other side.
    """
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _window(path: Path, dataset: Dataset, values: np.ndarray) -> np.ndarray:
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    least = 1.0 if function == "LINEAR" else np.finfo(float).tiny
    if (
        centre is None
        or width is None
        or not (math.isfinite(centre) and math.isfinite(width))
        or width < least
    ):
        raise ImageError(
            f"{path} has WindowCenter {centre} and WindowWidth {width}: expected numbers, the width positive"
            f". Correct them, {_FULL}."
        )
    if function == "LINEAR":
        return linear_window(values, centre, width)
    if function == "LINEAR_EXACT":  # C.11.2.1.3.2
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "SIGMOID":  # C.11.2.1.3.1
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    raise ImageError(
        f"{path} has VOILUTFunction {function!r}: expected LINEAR, LINEAR_EXACT or SIGMOID. "
        f"Correct it, {_FULL}."
    )


def _voi_lut(path: Path, dataset: Dataset, values: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_voi

    try:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        output = apply_voi(np.rint(values).astype(np.int32), dataset)
        return np.clip(output / float((1 << bits) - 1), 0, 1)
    except Exception as error:  # pydicom raises whatever a wrong table makes it meet
        raise ImageError(
            f"{path} has a VOI LUT that cannot be used ({error}). Correct it, {_FULL}."
        ) from error


def _modality(path: Path, dataset: Dataset, levels: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    slope, intercept = _first(dataset, "RescaleSlope"), _first(dataset, "RescaleIntercept")
    for name, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is not None and (not math.isfinite(value) or (name == "RescaleSlope" and value == 0)):
            raise ImageError(
                f"{path} has {name} {value}: expected a number, usually 1 or 0. Correct the tag."
            )
    if not dataset.get("ModalityLUTSequence") and (slope is None or intercept is None):
        return levels * (1.0 if slope is None else slope) + (intercept or 0.0)
    try:
        return np.asarray(apply_modality_lut(levels, dataset), np.float64)
    except Exception as error:  # as above
        raise ImageError(f"{path} has a modality LUT that cannot be used ({error}). Correct it.") from error


def _padding(dataset: Dataset, levels: np.ndarray) -> np.ndarray:
    """Which stored values mean that there is no pixel (C.7.5.1.1.2)."""
    value = _first(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(len(levels), bool)
    limit = _first(dataset, "PixelPaddingRangeLimit")
    ends = [_signed_as_pixels(end, levels) for end in (value, value if limit is None else limit)]
    return (levels >= min(ends)) & (levels <= max(ends))


def _signed_as_pixels(value: float, levels: np.ndarray) -> float:
    """A value of 16 bits with the sign of the pixels: files say US where SS is right, or the reverse."""
    if value > levels[-1] and levels[0] < 0:
        return value - (1 << 16)
    return value + (1 << 16) if value < levels[0] and levels[0] == 0 else value


def _first(dataset: Dataset, name: str) -> float | None:
    """The first value of a numeric attribute; None where it is absent or empty."""
    value = dataset.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, (list, tuple)) or (hasattr(value, "__len__") and not isinstance(value, str)):
        value = value[0] if len(value) else None
    return None if value is None else float(value)
