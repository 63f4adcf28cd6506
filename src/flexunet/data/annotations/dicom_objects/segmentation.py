"""DICOM Segmentation objects (PS3.3 A.51): a plane a segment and film."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.data.annotations.dicom_objects.films import Films, Marks, gathered
from flexunet.data.annotations.pixels import runs_of
from flexunet.data.annotations.shapes import FilmAnnotation
from flexunet.data.dicom.read import MAX_PIXELS, read_dataset, refusing_damage
from flexunet.errors import MaskError

if TYPE_CHECKING:
    from pydicom import Dataset

_MOST_FRAMES = 4096
_FRACTIONAL, _LABELS = "FRACTIONAL", "LABELMAP"


def read_segmentation_object(path: Path, films: Films) -> dict[str, FilmAnnotation]:
    """Segments by film; a fractional one counts from half of its highest value on.

    A film that the object refers to without marking anything on it is `unmarked`.

    Raises:
        MaskError: if the object is too large, or refers to no film.
    """
    with refusing_damage(path):
        dataset = read_dataset(path)
        height, width, count = (
            int(dataset.Rows),
            int(dataset.Columns),
            int(dataset.get("NumberOfFrames") or 1),
        )
        if height * width > MAX_PIXELS or count > _MOST_FRAMES or count * height * width > 1 << 32:
            raise MaskError(f"{path} is too large: {count} frames of {width} x {height} pixels.")
        kind = str(dataset.SegmentationType)
        labels = {int(each.SegmentNumber): str(each.SegmentLabel) for each in dataset.SegmentSequence}
        planes = dataset.pixel_array.reshape(count, height, width)
        least = int(dataset.get("MaximumFractionalValue") or 1) / 2 if kind == _FRACTIONAL else 1
        marks: dict[str, Marks] = defaultdict(Marks)
        for uid in _referred(dataset):
            marks[uid].width, marks[uid].height = width, height
        for plane, (uid, segment) in zip(planes, _frames(path, dataset, kind), strict=True):
            mark = marks[uid]
            mark.width, mark.height = width, height
            for number in labels if segment is None else (segment,):
                drawn = plane == number if kind == _LABELS else plane >= least
                if drawn.any():
                    mark.shapes.append(runs_of(drawn, 0, 0, width, height, labels.get(number, "")))
    return gathered(films, marks, f"{path.name} marks nothing on it, and does not call it normal")


def _frames(path: Path, dataset: Dataset, kind: str) -> Iterator[tuple[str, int | None]]:
    """UID of the film of each frame, and its segment; None for a frame of all segments."""
    alone = _referred(dataset)
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or ()), None)
    for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        uids = {
            str(source.ReferencedSOPInstanceUID)
            for group in (groups, shared)
            if group is not None
            for derivation in group.get("DerivationImageSequence") or ()
            for source in derivation.get("SourceImageSequence") or ()
        } or alone
        if len(uids) != 1:
            raise MaskError(
                f"{path}, frame {number} refers to {len(uids) or 'no'} films; expected one. Segment each "
                "film by itself."
            )
        segment = None
        for group in (groups, shared) if kind != _LABELS else ():
            for each in (group.get("SegmentIdentificationSequence") or ()) if group is not None else ():
                segment = int(each.ReferencedSegmentNumber)
        if segment is None and kind != _LABELS:
            raise MaskError(f"{path}, frame {number} does not say which segment it is.")
        yield next(iter(uids)), segment


def _referred(dataset: Dataset) -> set[str]:
    return {
        str(instance.ReferencedSOPInstanceUID)
        for series in dataset.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    }
