"""The overlay of a predicted image as a DICOM Secondary Capture, marked as not for diagnosis: PS3.3 A.8.1."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flexunet.inference.outputs.dicom_objects.source import MANUFACTURER, SourceImage, made_by_highdicom
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

WARNING = "NOT FOR DIAGNOSIS"
_SERIES = 4000  # added to the source's SeriesNumber
_SHARE = 0.9  # of the picture's width that the warning may take
_HIGHEST_BAND = 0.08  # of the picture's height
_LONGEST_SIDE = 2048  # pixels: the picture is to look at; the mask has the size of the image
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def make_capture(source: SourceImage, overlay: np.ndarray) -> Dataset:
    """The picture with the warning burned in, below what it shows; scaled down to 2048 pixels a side.

    Args:
        source: The image.
        overlay: RGB, uint8 `(H, W, 3)`.

    Raises:
        ImageError: if the header is one that highdicom refuses.
    """
    scale = min(1.0, _LONGEST_SIDE / max(overlay.shape[:2]))
    if scale < 1:
        overlay = cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = source.header.Rows / overlay.shape[0], source.header.Columns / overlay.shape[1]
    spacing = source.spacing and (f"{source.spacing[0] * rows:.8g}", f"{source.spacing[1] * columns:.8g}")
    return made_by_highdicom(
        "Secondary Capture", source, partial(_capture, source, with_warning(overlay), spacing)
    )


def with_warning(picture: np.ndarray) -> np.ndarray:
    """A picture with a black band at its end that says what it is not for, uint8 `(H + band, W, 3)`."""
    height, width = picture.shape[:2]
    (long, high), below = cv2.getTextSize(WARNING, _FONT, 1.0, 2)
    scale = min(_SHARE * width / long, max(_HIGHEST_BAND * height, 16) / (high + below))
    line = max(1, round(2 * scale))
    (long, high), below = cv2.getTextSize(WARNING, _FONT, scale, line)
    band = np.zeros((2 * (high + below), width, 3), np.uint8)
    place = ((width - long) // 2, (len(band) + high) // 2)
    cv2.putText(band, WARNING, place, _FONT, scale, (255, 255, 255), line, cv2.LINE_AA)
    return np.concatenate([picture, band])


def _capture(source: SourceImage, picture: np.ndarray, spacing: tuple[str, str] | None) -> Dataset:
    from highdicom.sc import SCImage

    header = source.header
    written = SCImage.from_ref_dataset(
        header,
        picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        manufacturer=MANUFACTURER,
        patient_orientation=("L", "F"),  # highdicom wants one; that of the source follows
        laterality=source.laterality or None,
        **source.series("secondary capture", _SERIES, picture.tobytes()),
    )
    written.SourceImageSequence = [_reference(header)]
    written["PatientOrientation"].value = header.get("PatientOrientation") or ""
    if spacing is not None:
        written.NominalScannedPixelSpacing = [*spacing]
    written.SoftwareVersions = __version__
    written.SeriesDescription = "FlexUNet overlay"
    written.ImageComments = WARNING
    # What is burned in names no person (PS3.3 C.7.6.1.1.4).
    written.BurnedInAnnotation = "NO"
    return written


def _reference(header: Dataset) -> Dataset:
    from pydicom import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID = header.SOPClassUID
    reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return reference
