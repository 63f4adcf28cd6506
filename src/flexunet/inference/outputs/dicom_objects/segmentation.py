"""Predicted masks as DICOM Segmentation objects (PS3.3 A.51), written with highdicom.

One segment a class, or one a lesion where a report measures each; at the size of the source image, which the
object refers to. Concepts are coded; the algorithm is named with its version. Imported, with highdicom, only
where a DICOM image is predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.images.regions import find_class_regions
from flexunet.errors import ImageError, ShapeError
from flexunet.files import replacing
from flexunet.inference.outputs.dicom_objects.concepts import Concepts, code
from flexunet.inference.outputs.dicom_objects.source import (
    MANUFACTURER,
    SourceImage,
    made_by_highdicom,
    read_source,
)
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

KINDS = ("binary", "fractional", "labelmap")
_SERIES = 1000  # added to the source's SeriesNumber
_HIGHEST = 255  # what a probability of 1 is stored as


@dataclass(frozen=True)
class Segments:
    """What is segmented in an image.

    Attributes:
        labels: Number of the segment of each pixel, 0 for none, `(H, W)` of uint8 or uint16.
        classes: Class of each segment, from segment 1.
        are_lesions: Whether each segment is one lesion; otherwise it is a class.
    """

    labels: np.ndarray
    classes: Sequence[int]
    are_lesions: bool = False

    @classmethod
    def of_classes(cls, mask: np.ndarray, count: int) -> Segments:
        """One segment a class, also where the mask has none of it; `mask` has class indices, uint8."""
        return cls(mask, range(1, count + 1))

    @classmethod
    def of_lesions(cls, mask: np.ndarray, count: int) -> Segments:
        """One segment a lesion, numbered as `measure_lesions` does; without lesion, one a class."""
        labels, classes = np.zeros(mask.shape, np.uint16), []
        for number, region in enumerate(find_class_regions(mask), start=1):
            region.of(labels)[region.inside] = number
            classes.append(region.label)
        if not classes:
            return cls.of_classes(mask, count)
        return cls(labels.astype(np.uint8) if len(classes) < 256 else labels, classes, are_lesions=True)


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
        model: Digest of the weights, which tells this model from others.
        reader: Who drew or checked the mask; then its segments are called manual.

    Raises:
        ShapeError, ImageError: as `make_segmentation`.
        PathError: if the file cannot be written.
    """
    segmentation = make_segmentation(
        read_source(source, model=model, reader=reader),
        Segments.of_classes(mask, len(class_names)),
        class_names,
    )
    write_object(path, segmentation)


def write_object(path: Path | str, written: Dataset) -> None:
    """Write a DICOM object whole or not at all.

    Raises:
        PathError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        written.save_as(temporary, enforce_file_format=True)


def make_segmentation(
    source: SourceImage,
    segments: Segments,
    class_names: Sequence[str],
    *,
    kind: str = "binary",
    concepts: Concepts | None = None,
    probabilities: np.ndarray | None = None,
) -> Dataset:
    """The mask of a DICOM image as a DICOM Segmentation object.

    Args:
        source: The DICOM image that was predicted.
        segments: What is segmented.
        class_names: Names of classes 1 and up; they label the segments.
        kind: `binary`, `labelmap`, or `fractional`: probabilities, of a class everywhere, of a lesion on it.
        concepts: Codes of the segments.
        probabilities: Float32 `(H, W, classes)`; needed by a fractional object alone.

    Raises:
        ShapeError: if mask and image differ in size, the mask has a class without a name, or there are more
            segments than an object of this kind can number.
        ImageError: if the header is one that highdicom refuses.
    """
    header, labels = source.header, segments.labels
    if labels.shape != (header.Rows, header.Columns):
        raise ShapeError(
            f"expected a mask of {header.Columns} x {header.Rows} pixels for {source.path}, found "
            f"{labels.shape[1]} x {labels.shape[0]}"
        )
    highest = max(segments.classes) if segments.are_lesions else int(labels.max(initial=0))
    if highest > len(class_names):
        raise ShapeError(f"the mask has class {highest}, but there are names for {len(class_names)} alone")
    return made_by_highdicom(
        "DICOM Segmentation object",
        source,
        lambda: _segmentation(source, segments, class_names, kind, concepts or Concepts(), probabilities),
    )


def read_segmentation(path: Path | str) -> np.ndarray:
    """The mask in a DICOM Segmentation object of one image: numbers of segments, `(H, W)`.

    They are class indices, uint8, where there is one segment a class.

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
    numbers = planes[0]
    return numbers.astype(np.uint8 if numbers.max(initial=0) < 256 else np.uint16)


def _segmentation(
    source: SourceImage,
    segments: Segments,
    class_names: Sequence[str],
    kind: str,
    concepts: Concepts,
    probabilities: np.ndarray | None,
) -> Dataset:
    from highdicom.seg import Segmentation, SegmentationFractionalTypeValues, SegmentationTypeValues

    header, reader = source.header, source.reader
    planes = _planes(segments, kind, probabilities)
    series = source.series("segmentation", _SERIES, kind, concepts, segments.classes, planes.tobytes())
    fractional: dict[str, Any] = {}
    if kind == "fractional":
        fractional = {
            "fractional_type": SegmentationFractionalTypeValues.PROBABILITY,
            "max_fractional_value": _HIGHEST,
        }
    segmentation = Segmentation(
        source_images=[header],
        pixel_array=planes,
        segmentation_type=SegmentationTypeValues[kind.upper()],
        segment_descriptions=_descriptions(
            source, segments, class_names, concepts, series["sop_instance_uid"]
        ),
        content_label="LESIONS",
        content_description="Lesions reviewed" if reader else "Lesions predicted by FlexUNet",
        content_creator_name=(reader if "^" in reader else f"{reader}^") if reader else None,
        series_description="FlexUNet lesions",
        omit_empty_frames=False,
        **series,
        **source.equipment(),
        **fractional,
    )
    # Type 2C of the General Image module: wanted where no Image Orientation (Patient) is given.
    segmentation.PatientOrientation = header.get("PatientOrientation") or ""
    return segmentation


def _planes(segments: Segments, kind: str, probabilities: np.ndarray | None) -> np.ndarray:
    """Pixels for highdicom: numbers of segments `(1, H, W)`, or shares `(1, H, W, segments)`."""
    if kind != "fractional":
        return np.ascontiguousarray(segments.labels)[np.newaxis]
    if probabilities is None:
        raise ValueError("a fractional object needs probabilities")
    planes = np.empty((1, *segments.labels.shape, len(segments.classes)), np.float32)
    for number, label in enumerate(segments.classes, start=1):
        shares = probabilities[..., label if probabilities.shape[-1] > 1 else 0]
        planes[0, ..., number - 1] = shares * (segments.labels == number) if segments.are_lesions else shares
    return np.clip(planes, 0, 1, out=planes)


def _descriptions(
    source: SourceImage, segments: Segments, class_names: Sequence[str], concepts: Concepts, uid: str
) -> list[Any]:
    import highdicom
    from highdicom.seg import SegmentAlgorithmTypeValues as kinds  # noqa: N813
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    parameters = {text.partition("=")[0]: text.partition("=")[2] for text in source.parameters()}
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=MANUFACTURER,
        family=codes.DCM.ArtificialIntelligence,
        version=__version__,
        parameters=parameters or None,
    )
    region = concepts.region_of(source)
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=class_names[label - 1],
            segmented_property_category=code(concepts.category),
            segmented_property_type=concepts.type_of(label),
            algorithm_type=kinds.MANUAL if source.reader else kinds.AUTOMATIC,
            algorithm_identification=None if source.reader else algorithm,
            tracking_uid=tracking_uid(source, uid, number),
            tracking_id=tracking_name(class_names[label - 1], number),
            anatomic_regions=[region] if region else None,
        )
        for number, label in enumerate(segments.classes, start=1)
    ]


def tracking_uid(source: SourceImage, segmentation_uid: str, number: int) -> str:
    """The UID by which a segment and its measurements are known as one lesion."""
    return source.uid("tracking", segmentation_uid, number)


def tracking_name(class_name: str, number: int) -> str:
    """What a person calls a segment and its measurements."""
    return f"{MANUFACTURER} {class_name} {number}"
