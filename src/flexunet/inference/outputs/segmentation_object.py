"""Predicted masks as DICOM Segmentation objects (PS3.3 A.51), written with highdicom.

One binary segment a class, at the size of the source image, which the object refers to. Concepts are coded;
the algorithm is named with its version. Imported, with highdicom, only where a DICOM image is predicted.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.dicom.read import read_header, refusing_damage
from flexunet.errors import ImageError, ShapeError
from flexunet.extras import import_extra
from flexunet.files import replacing
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

MANUFACTURER = "FlexUNet"
# Type 2 attributes of patient and study: they must be there, and may be empty (PS3.3 C.7.1.1, C.7.2.1).
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
# A projection has no place in space. Where these stand alone, highdicom takes the image for a slice.
_VOLUME_ONLY = (
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")


def write_segmentation(
    path: Path | str,
    source: Path | str,
    mask: np.ndarray,
    class_names: Sequence[str],
    *,
    model: str = "",
    reader: str = "",
) -> None:
    """Write the mask of a DICOM image as a DICOM Segmentation object; see `make_segmentation`.

    Args:
        path: Where to write.
        source: The DICOM image that was predicted.
        mask: Class indices, uint8 `(H, W)`, of the image's size.
        class_names: Names of classes 1 and up.
        model: What tells this model from others.
        reader: Who drew or checked the mask.

    Raises:
        ShapeError, ImageError: as `make_segmentation`.
        PathError: if the file cannot be written.
    """
    segmentation = make_segmentation(source, mask, class_names, model=model, reader=reader)
    with replacing(path) as temporary:
        segmentation.save_as(temporary, enforce_file_format=True)


def make_segmentation(
    source: Path | str,
    mask: np.ndarray,
    class_names: Sequence[str],
    *,
    model: str = "",
    reader: str = "",
) -> Dataset:
    """The mask of a DICOM image as a DICOM Segmentation object.

    Args:
        source: The DICOM image that was predicted.
        mask: Class indices, uint8 `(H, W)`, of the image's size.
        class_names: Names of classes 1 and up; each becomes a segment, also where the mask has none of it.
        model: What tells this model from others (a digest of its weights), for the algorithm's parameters.
        reader: Who drew or checked the mask; then its segments are called manual.

    Raises:
        ShapeError: if mask and image differ in size, or the mask has a class without a name.
        ImageError: if the image lacks what the standard wants a reference to have.
    """
    source = Path(source)
    with refusing_damage(source):
        header = _referable(source, read_header(source))
    if mask.shape != (header.Rows, header.Columns):
        raise ShapeError(
            f"expected a mask of {header.Columns} x {header.Rows} pixels for {source}, found "
            f"{mask.shape[1]} x {mask.shape[0]}"
        )
    if int(mask.max(initial=0)) > len(class_names):
        raise ShapeError(f"the mask has class {mask.max()}, but there are names for {len(class_names)} alone")
    import_extra(
        "highdicom",
        extra="dicom",
        needed_by=f"a DICOM Segmentation object for {source}",
        error=ImageError,
        otherwise=", or set [infer] dicom_seg = false",
    )
    try:
        return _segmentation(header, mask, class_names, model, reader)
    except Exception as error:  # highdicom raises whatever a header makes it meet
        raise ImageError(
            f"{source}: no DICOM Segmentation object can be made from its header ({error}). Correct it, "
            "or set [infer] dicom_seg = false."
        ) from error


def read_segmentation(path: Path | str) -> np.ndarray:
    """The mask in a DICOM Segmentation object of one image: class indices, uint8 `(H, W)`.

    Raises:
        ImageError: if this is no such object.
    """
    import highdicom

    try:
        segmentation = highdicom.seg.segread(path)
        (reference,) = [uid for _, _, uid in segmentation.get_source_image_uids()]
        planes = segmentation.get_pixels_by_source_instance([reference], combine_segments=True)
    except Exception as error:  # highdicom raises whatever it meets on damaged files
        raise ImageError(
            f"{path} cannot be read as a DICOM Segmentation object of one image ({error}). Write it again."
        ) from error
    return planes[0].astype(np.uint8)


def _segmentation(
    header: Dataset, mask: np.ndarray, class_names: Sequence[str], model: str, reader: str
) -> Dataset:
    import highdicom
    from highdicom.seg import SegmentAlgorithmTypeValues as kinds  # noqa: N813
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from highdicom.seg import SegmentDescription as Description
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=MANUFACTURER,
        family=codes.DCM.ArtificialIntelligence,
        version=__version__,
        parameters={"model": model} if model else None,
    )
    breast = header.get("Modality") == "MG" or str(header.get("BodyPartExamined") or "").upper() == "BREAST"
    descriptions = [
        Description(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=kinds.MANUAL if reader else kinds.AUTOMATIC,
            algorithm_identification=None if reader else algorithm,
            tracking_uid=highdicom.UID(),
            tracking_id=f"{MANUFACTURER} {name}",
            anatomic_regions=[codes.SCT.Breast] if breast else None,
        )
        for number, name in enumerate(class_names, start=1)
    ]
    # Planes stacked on the last axis, one a class: a mask without lesion keeps its segments.
    planes = (mask[np.newaxis, ..., np.newaxis] == np.arange(1, len(class_names) + 1)).astype(np.uint8)
    segmentation = Segmentation(
        source_images=[header],
        pixel_array=planes,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=highdicom.UID(),
        series_number=1000 + int(header.get("SeriesNumber") or 0) % 1000,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number=model[:64] or "0",
        content_label="LESIONS",
        content_description="Lesions reviewed" if reader else "Lesions predicted by FlexUNet",
        content_creator_name=(reader if "^" in reader else f"{reader}^") if reader else None,
        series_description="FlexUNet lesions",
        omit_empty_frames=False,
    )
    # Type 2C of the General Image module: wanted where no Image Orientation (Patient) is given.
    segmentation.PatientOrientation = header.get("PatientOrientation") or ""
    return segmentation


def _referable(source: Path, header: Dataset) -> Dataset:
    missing = [name for name in _NEEDED if not header.get(name)]
    if missing:
        raise ImageError(
            f"{source} lacks {', '.join(missing)}, so no DICOM Segmentation object can refer to it. "
            "Complete the file, or set [infer] dicom_seg = false."
        )
    complete = copy.deepcopy(header)
    for name in _VOLUME_ONLY:
        if name in complete:
            delattr(complete, name)
    for name in _MAY_BE_EMPTY:
        if name not in complete:
            setattr(complete, name, "")
    return _in_unicode(complete)


def _in_unicode(header: Dataset) -> Dataset:
    """The header with its texts in UTF-8, which holds them all.

    highdicom takes no character set of several parts that begins with nothing, the usual one of Japanese and
    Korean names.
    """
    header.decode()
    for element in header.iterall():
        if element.VR == "PN" and element.value:
            # A name keeps the bytes that it was read from; of its text it makes new ones.
            several = element.VM > 1
            element.value = [str(name) for name in element.value] if several else str(element.value)
    header.SpecificCharacterSet = "ISO_IR 192"
    return header
