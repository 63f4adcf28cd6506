"""What a DICOM header has to say before its pixels are touched, and what it says about them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

MIN_SIDE = 8
_WIDEST_PIXEL = 100.0  # mm
# ViewCodeSequence by code value, of SNOMED CT and of the older SNOMED RT (context group 4014).
_VIEWS = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
}


def check_header(path: Path, dataset: Dataset, max_pixels: int) -> None:
    """Refuse what is not one grey image of reasonable size.

    Raises:
        ImageError: says what was found and what to do.
    """
    columns, rows = _whole(path, dataset, "Columns"), _whole(path, dataset, "Rows")
    if rows * columns > max_pixels:
        raise ImageError(
            f"{path} is too large: {columns} x {rows} is more than {max_pixels:,} pixels. Scale it down."
        )
    if min(rows, columns) < MIN_SIDE:
        raise ImageError(
            f"{path} has {columns} x {rows} pixels; expected at least {MIN_SIDE} x {MIN_SIDE}. "
            "Take it out of the folder."
        )
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(
            f"{path} is multi-frame: it holds {frames} frames (a tomosynthesis, a loop); expected one image "
            "a file. Save the frame wanted, or the synthetic 2-D view, as a file of its own."
        )
    samples = int(dataset.get("SamplesPerPixel") or 1)
    photometric = str(dataset.get("PhotometricInterpretation") or "nothing")
    if samples != 1 or photometric.startswith(("RGB", "YBR", "PALETTE")):
        raise ImageError(
            f"{path} is in colour ({photometric}, {samples} samples per pixel); expected a grey radiograph. "
            "It may be a screenshot: take it out of the folder, or export the image itself."
        )
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImageError(
            f"{path} has PhotometricInterpretation {photometric}; expected MONOCHROME1 or MONOCHROME2. "
            "Correct the tag."
        )
    allocated, stored = _whole(path, dataset, "BitsAllocated"), _whole(path, dataset, "BitsStored")
    high_bit = int(dataset.get("HighBit", stored - 1))
    if allocated not in (8, 16) or not 1 <= stored <= allocated or not stored - 1 <= high_bit < allocated:
        raise ImageError(
            f"{path} has BitsAllocated {allocated}, BitsStored {stored}, HighBit {high_bit}; expected 8 or "
            "16 allocated, and the others to fit. Correct the tags."
        )
    dataset.HighBit = high_bit
    if dataset.get("PixelRepresentation") not in (0, 1):
        raise ImageError(
            f"{path} has PixelRepresentation {dataset.get('PixelRepresentation')}; expected 0 or 1. "
            "Correct the tag."
        )


def spacing_of(path: Path, dataset: Dataset) -> tuple[float, float] | None:
    """Height and width of a pixel in mm; None where the header does not tell.

    PixelSpacing counts where it was calibrated (it differs from ImagerPixelSpacing, or says how). Else
    ImagerPixelSpacing, which is measured at the detector, is divided by
    EstimatedRadiographicMagnificationFactor, which brings it to the object (PS3.3 10.7.1.3, C.8.7.4).

    Raises:
        ImageError: if a value is there but is no positive number.
    """
    imager = _millimetres(path, dataset, "ImagerPixelSpacing")
    pixel = _millimetres(path, dataset, "PixelSpacing")
    calibrated = pixel is not None and (
        imager is None or pixel != imager or bool(dataset.get("PixelSpacingCalibrationType"))
    )
    if calibrated or imager is None:
        return pixel
    magnification = dataset.get("EstimatedRadiographicMagnificationFactor")
    if magnification is None or magnification == "":
        return imager
    factor = float(magnification)
    if not (math.isfinite(factor) and factor > 0):
        raise ImageError(
            f"{path} has EstimatedRadiographicMagnificationFactor {factor}; expected a positive number. "
            "Correct or remove the tag."
        )
    return imager[0] / factor, imager[1] / factor


def laterality_of(dataset: Dataset) -> str:
    """`L` or `R` from ImageLaterality or Laterality; "" where neither says one of them."""
    for name in ("ImageLaterality", "Laterality"):
        value = str(dataset.get(name) or "").strip().upper()
        if value in ("L", "R"):
            return value
    return ""


def view_of(dataset: Dataset) -> str:
    """ViewPosition, else what ViewCodeSequence means; "" where neither is known."""
    position = str(dataset.get("ViewPosition") or "").strip().upper()
    if position:
        return position
    for item in dataset.get("ViewCodeSequence") or ():
        return _VIEWS.get(str(item.get("CodeValue") or ""), "")
    return ""


def view_code_of(dataset: Dataset) -> str:
    """The SNOMED CT code of the view, of ViewCodeSequence or ViewPosition; "" where neither is known."""
    view = view_of(dataset)
    return next((code for code, name in _VIEWS.items() if name == view and code.isdecimal()), "")


def _decimal(part: object) -> float:
    """A number, also with the decimal comma of machines that are set to German or French."""
    text = str(part).strip()
    return float(text.replace(",", ".") if re.fullmatch("[0-9]+,[0-9]+", text) else text)


def _whole(path: Path, dataset: Dataset, name: str) -> int:
    value = dataset.get(name)
    if not isinstance(value, int) or value < 1:
        found = "nothing" if value is None else repr(value)
        raise ImageError(
            f"{path} is no image, or its header is damaged: expected a whole number in {name}, found {found}"
            ". Export it again, or take it out of the folder."
        )
    return value


def _millimetres(path: Path, dataset: Dataset, name: str) -> tuple[float, float] | None:
    value = dataset.get(name)
    if value is None or value == "":
        return None
    parts = value.split("\\") if isinstance(value, str) else value  # of a VR that knows no lists
    try:
        row, column = (_decimal(part) for part in parts)
    except (TypeError, ValueError):
        row = column = math.nan
    if not (0 < row <= _WIDEST_PIXEL and 0 < column <= _WIDEST_PIXEL):
        raise ImageError(
            f"{path} has {name} {value}; expected two positive numbers in mm. Correct the tag, or remove it: "
            "areas are then given only in pixels."
        )
    return row, column
