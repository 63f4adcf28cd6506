"""Contours of radiotherapy (RT Structure Set, PS3.3 A.19): points in mm, placed by each film's header."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.annotations.dicom_objects.films import Film, Films, Marks, gathered
from flexunet.data.annotations.shapes import Dot, FilmAnnotation, Polygon
from flexunet.data.annotations.values import read_points
from flexunet.data.dicom.read import read_header, refusing_damage
from flexunet.errors import MaskError

if TYPE_CHECKING:
    from pydicom import Dataset

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def read_structure_set(path: Path, films: Films) -> dict[str, FilmAnnotation]:
    """Closed contours and points by film, their labels the names of the structures.

    A film with an open contour is `unknown`; one whose contours do not lie on it is `broken`, and so is one
    whose DICOM file is not among the films, since without its header millimetres say nothing.

    Raises:
        MaskError: if a contour does not say to which film it belongs.
    """
    marks: dict[str, Marks] = defaultdict(Marks)
    with refusing_damage(path):
        dataset = read_header(path)
        names = {
            int(each.ROINumber): str(each.get("ROIName") or "") for each in dataset.StructureSetROISequence
        }
        alone = _images(dataset)
        for structure in dataset.get("ROIContourSequence") or ():
            label = names.get(int(structure.ReferencedROINumber), "")
            for number, contour in enumerate(structure.get("ContourSequence") or ()):
                where = f"{path}, structure {label!r}, contour {number}"
                uids = {
                    str(each.ReferencedSOPInstanceUID) for each in contour.get("ContourImageSequence") or ()
                }
                uids = uids or alone
                if len(uids) != 1:
                    raise MaskError(f"{where} refers to {len(uids) or 'no'} films; expected one.")
                uid = next(iter(uids))
                _add(marks[uid], contour, films.find(uid), uid, label, where)
    return gathered(films, marks, "", on_centres=True)


def _add(mark: Marks, contour: Dataset, film: Film | None, uid: str, label: str, where: str) -> None:
    if film is None:
        mark.broken = (
            f"{where} is in mm, and its film {uid} is not among the DICOM films: nothing tells where."
        )
        return
    mark.width, mark.height = film.width, film.height
    kind = str(contour.get("ContourGeometricType") or "")
    try:
        points = _points(contour, film, where)
    except MaskError as error:
        mark.broken = str(error)
        return
    if film.origin is None and not mark.notes:
        mark.notes.append(
            f"{film.path.name} has no place in space (ImagePositionPatient): its contours are measured from "
            "its first pixel. Look at the contact sheet."
        )
    if kind == "POINT":
        mark.shapes.append(Dot(*points[0], label))
    elif kind in _CLOSED and len(points) > 2:
        mark.shapes.append(Polygon(points, label))
    else:
        mark.unknown = f"{where} is {kind or 'of no kind'} with {len(points)} points, which has no area"


def _points(contour: Dataset, film: Film, where: str) -> tuple[tuple[float, float], ...]:
    numbers = [float(value) for value in contour.get("ContourData") or ()]
    if not numbers or len(numbers) % 3:
        raise MaskError(f"{where} has {len(numbers)} numbers; expected x, y and z of each point.")
    return read_points(film.pixels_of(np.array(numbers).reshape(-1, 3), where).tolist(), where)


def _images(dataset: Dataset) -> set[str]:
    """UIDs of all films to which the object refers."""
    return {
        str(image.ReferencedSOPInstanceUID)
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
        for image in series.get("ContourImageSequence") or ()
    }
