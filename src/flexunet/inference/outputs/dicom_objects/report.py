"""Lesions of a predicted image as a structured report: TID 1500 (PS3.16) in a Comprehensive 3D SR (PS3.3).

As the profile IHE AI Results (RAD) asks: one measurement group a lesion, each with a tracking identifier, the
segment that it measures, the source image, the algorithm, and coded measurements; and one group of the image
that says whether anything was found at all. A lesion and its segment bear one tracking UID.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flexunet.errors import ImageError
from flexunet.inference.outputs.dicom_objects.concepts import Concepts, code, laterality_code, view_code
from flexunet.inference.outputs.dicom_objects.segmentation import tracking_name, tracking_uid
from flexunet.inference.outputs.dicom_objects.source import MANUFACTURER, SourceImage, made_by_highdicom
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

    from flexunet.inference.outputs.lesions import Lesion

MOST_LESIONS = 100  # a reader measures a few; hundreds are specks of a model that has not learned
_SERIES = 2000  # added to the source's SeriesNumber
_PIXELS = ("{pixels}", "UCUM", "pixels")
_SQUARE_PIXELS = ("{pixels}2", "UCUM", "square pixels")


def check_count(source: SourceImage, lesions: Sequence[Lesion]) -> None:
    """Refuse a report of more lesions than a person reads.

    Raises:
        ImageError: says how many there are and what to do.
    """
    if len(lesions) > MOST_LESIONS:
        raise ImageError(
            f"{source.path} has {len(lesions)} predicted lesions, and a report holds at most {MOST_LESIONS}: "
            "no report is written. Raise [infer] min_lesion_pixels or the threshold."
        )


def make_report(
    source: SourceImage,
    segmentation: Dataset,
    lesions: Sequence[Lesion],
    class_names: Sequence[str],
    concepts: Concepts | None = None,
) -> Dataset:
    """The report of an image.

    Args:
        source: The image.
        segmentation: Its Segmentation object, one segment a lesion in the order of `lesions`.
        lesions: What was measured; sizes are in pixels where the spacing is unknown.
        class_names: Names of classes 1 and up.
        concepts: Codes of the findings, those of the segments.

    Raises:
        ImageError: if the header is one that highdicom refuses.
    """
    return made_by_highdicom(
        "structured report",
        source,
        partial(_report, source, segmentation, lesions, class_names, concepts or Concepts()),
    )


def _report(
    source: SourceImage,
    segmentation: Dataset,
    lesions: Sequence[Lesion],
    class_names: Sequence[str],
    concepts: Concepts,
) -> Dataset:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    groups = [
        _image_group(source, segmentation, lesions),
        *(_lesion_group(source, segmentation, lesion, class_names, concepts) for lesion in lesions),
    ]
    mammogram = source.header.get("Modality") == "MG"
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(source)),
        procedure_reported=codes.SCT.Mammography if mammogram else codes.cid100.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[source.header] if _fits_image_library(source.header) else None,
    )
    return sr.Comprehensive3DSR(
        evidence=[source.header, segmentation],
        content=content,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="FlexUNet lesion report",
        **source.series("report", _SERIES, segmentation.SOPInstanceUID, lesions, concepts),
    )


def algorithm(source: SourceImage) -> Any:
    """Name, version and weights of the algorithm, as content items (TID 4019)."""
    from highdicom import sr

    return sr.AlgorithmIdentification(
        name=MANUFACTURER,
        version=__version__,
        parameters=source.parameters() or None,
    )


def _observer(source: SourceImage) -> Any:
    """The program as a device observer; one UID a model and version."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=source.device_uid(),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=f"{MANUFACTURER} {__version__}",
            serial_number=source.model or None,
        ),
    )


def _image_group(source: SourceImage, segmentation: Dataset, lesions: Sequence[Lesion]) -> Any:
    """What holds for the whole image: side, view, and whether there are findings."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    summary = codes.cid6047
    found = summary.AllAlgorithmsSucceededWithFindings
    none = summary.AllAlgorithmsSucceededWithoutFindings
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=source.uid("tracking image", segmentation.SOPInstanceUID), identifier=f"{MANUFACTURER} image"
        ),
        algorithm_id=algorithm(source),
        source_images=[
            sr.SourceImageForMeasurementGroup(source.header.SOPClassUID, source.header.SOPInstanceUID)
        ],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                name=codes.DCM.CADProcessingAndFindingsSummary, value=found if lesions else none
            ),
            *_place(source),
        ],
    )


def _place(source: SourceImage) -> list[Any]:
    """Laterality and view of the image, those that the header names."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    told = ((codes.DCM.ImageLaterality, laterality_code(source)), (codes.DCM.ImageView, view_code(source)))
    return [sr.QualitativeEvaluation(name=name, value=value) for name, value in told if value is not None]


def _lesion_group(
    source: SourceImage,
    segmentation: Dataset,
    lesion: Lesion,
    class_names: Sequence[str],
    concepts: Concepts,
) -> Any:
    from highdicom import sr

    uid = segmentation.SOPInstanceUID
    segment = sr.ReferencedSegmentationFrame(
        segmentation.SOPClassUID,
        uid,
        frame_number=1,
        segment_number=lesion.lesion,
        source_image=sr.SourceImageForSegmentation(source.header.SOPClassUID, source.header.SOPInstanceUID),
    )
    # A reference names frames or segments (PS3.3 10.3); highdicom writes both.
    del segment[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    region = concepts.region_of(source)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=tracking_uid(source, uid, lesion.lesion),
            identifier=tracking_name(class_names[lesion.label - 1], lesion.lesion),
        ),
        referenced_segment=segment,
        finding_category=code(concepts.category),
        finding_type=concepts.type_of(lesion.label),
        algorithm_id=algorithm(source),
        finding_sites=None if region is None else [sr.FindingSite(region, laterality_code(source))],
        measurements=_measurements(lesion),
        qualitative_evaluations=_place(source) or None,
    )


def _measurements(lesion: Lesion) -> list[Any]:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    long, short = lesion.long_axis_mm, lesion.short_axis_mm
    if lesion.area_mm2 is not None and long is not None and short is not None:
        size, area, length = lesion.area_mm2, codes.UCUM.SquareMillimeter, codes.UCUM.Millimeter
    else:
        size, area, length = lesion.area_px, code(_SQUARE_PIXELS), code(_PIXELS)
        long, short = lesion.long_axis_px, lesion.short_axis_px or 0.0
    return [
        sr.Measurement(codes.SCT.Area, size, area),
        sr.Measurement(codes.SCT.LongAxis, long, length),
        sr.Measurement(codes.SCT.ShortAxis, short, length),
        sr.Measurement(
            codes.DCM.Probability,
            lesion.mean_probability,
            codes.UCUM.NoUnits,
            derivation=codes.SCT.Mean,
        ),
    ]


def _fits_image_library(header: Dataset) -> bool:
    """Whether the header has what an entry for a projection must tell (TID 1603)."""
    orientation, spacing = header.get("PatientOrientation") or (), header.get("ImagerPixelSpacing") or ()
    return len(orientation) == 2 and len(spacing) == 2
