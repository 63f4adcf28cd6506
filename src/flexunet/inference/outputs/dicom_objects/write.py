"""Which DICOM objects are written for an image, and where.

    <folder>/NAME.dcm            the Segmentation object
    <folder>/NAME.report.dcm     with [dicom] report
    <folder>/NAME.map.dcm        with [dicom] parametric_map
    <folder>/NAME.capture.dcm    with [dicom] secondary_capture

An object that cannot be made is said and left out; the others are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

    from flexunet.config.run_sections import DicomSection
    from flexunet.inference.cases import Case
    from flexunet.inference.outputs.dicom_objects.source import SourceImage
    from flexunet.inference.outputs.lesions import Lesion

SUFFIXES = {"segmentation": ".dcm", "report": ".report.dcm", "map": ".map.dcm", "capture": ".capture.dcm"}


@dataclass(frozen=True)
class Prediction:
    """What is known of a predicted image.

    Attributes:
        mask: Class indices, uint8 `(H, W)`.
        probabilities: Float32 `(H, W, classes)`.
        lesions: What was measured, as `measure_lesions` gives it.
        overlay: The image with its outlines, uint8 `(H, W, 3)`.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    lesions: Sequence[Lesion]
    overlay: np.ndarray


@dataclass
class Written:
    """What came of the objects of an image.

    Attributes:
        paths: The files.
        problems: Why an object is missing, one message each.
        notes: What a reader of the objects should know.
    """

    paths: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, path: Path, make: Callable[[], Dataset]) -> Dataset | None:
        """Write an object; None where it cannot be made."""
        from flexunet.inference.outputs.dicom_objects.segmentation import write_object

        try:
            made = make()
        except ImageError as error:
            self.problems.append(str(error))
            return None
        write_object(path, made)
        self.paths.append(path)
        return made


def write_objects(
    folder: Path,
    stem: str,
    case: Case,
    predicted: Prediction,
    class_names: Sequence[str],
    rules: DicomSection,
    model: str,
) -> Written:
    """Write the objects of an image that `[dicom]` asks for.

    Args:
        folder: Where to write.
        stem: Name of the files.
        case: The image, a DICOM file.
        predicted: What is known of it.
        class_names: Names of classes 1 and up.
        rules: Which objects, and their codes.
        model: Digest of the weights.

    Raises:
        PathError: if a file cannot be written.
    """
    from flexunet.inference.outputs.dicom_objects.capture import make_capture
    from flexunet.inference.outputs.dicom_objects.parametric_map import make_parametric_map
    from flexunet.inference.outputs.dicom_objects.source import read_source

    written = Written()
    paths = {kind: folder / f"{stem}{suffix}" for kind, suffix in SUFFIXES.items()}
    try:
        source = read_source(case.path, spacing=case.spacing, model=model)
    except ImageError as error:  # a header that nothing can refer to; the mask itself is good
        written.problems.append(str(error))
        return written
    _write_lesions(written, paths, source, predicted, class_names, rules)
    if rules.parametric_map:
        written.add(paths["map"], lambda: make_parametric_map(source, predicted.probabilities, class_names))
    if rules.secondary_capture:
        written.add(paths["capture"], lambda: make_capture(source, predicted.overlay))
    return written


def _write_lesions(
    written: Written,
    paths: dict[str, Path],
    source: SourceImage,
    predicted: Prediction,
    class_names: Sequence[str],
    rules: DicomSection,
) -> None:
    """The Segmentation object, and the report that refers to it."""
    from flexunet.inference.outputs.dicom_objects.concepts import Concepts
    from flexunet.inference.outputs.dicom_objects.report import check_count, make_report
    from flexunet.inference.outputs.dicom_objects.segmentation import Segments, make_segmentation

    concepts = Concepts.configured(rules)
    reported = rules.report != "none"
    if reported:
        try:
            check_count(source, predicted.lesions)
        except ImageError as error:
            written.problems.append(str(error))
            reported = False
    divide = Segments.of_lesions if reported else Segments.of_classes
    segmentation = written.add(
        paths["segmentation"],
        lambda: make_segmentation(
            source,
            divide(predicted.mask, len(class_names)),
            class_names,
            kind=rules.segmentation,
            concepts=concepts,
            probabilities=predicted.probabilities,
        ),
    )
    if not reported or segmentation is None:
        return
    if source.spacing is None:
        written.notes.append(f"{source.path} has no pixel spacing: its report gives sizes in pixels.")
    written.add(
        paths["report"], lambda: make_report(source, segmentation, predicted.lesions, class_names, concepts)
    )
