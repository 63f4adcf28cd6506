"""Data sets, drafts to review, and folders of images: whatever `find_layout` knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.listing import ListedImage, list_dataset
from flexunet.data.dicom.read import read_facts
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.errors import InputError
from flexunet.review.sources.entry import Entry
from flexunet.review.sources.inside import Fence

_EXAM_COLUMNS = ("exam", "study", "study_date", "exam_date", "date", "acquisition_date")
_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}


def folder_entries(root: Path) -> tuple[list[Entry], list[str]]:
    """The images of a folder in any layout, with the masks beside them.

    Args:
        root: The folder; see `flexunet.data.dataset.layouts`.

    Returns:
        The images, and a sentence on each that is left out.

    Raises:
        PathError: if the folder is missing or holds no images.
        DatasetError: if its manifest cannot be read.
    """
    entries, notes, fence = [], [], Fence(root)
    for folder in find_layout(root):
        images, _ = list_dataset(root, folder)
        for listed in images:
            if fence.holds(listed.image):
                entries.append(_entry(fence, listed))
            else:
                notes.append(f"{listed.name} is left out: it is a link to a file outside {root}.")
    return entries, notes


def _entry(fence: Fence, listed: ListedImage) -> Entry:
    row = listed.identity.row
    patient, side, view, exam = _whose(listed, row)
    return Entry(
        listed.name,
        listed.image,
        listed.mask if listed.mask and fence.holds(listed.mask) else None,
        patient,
        side,
        view,
        exam,
        listed.split,
        confidence=share_in(row, "confidence"),
        entropy=share_in(row, "entropy"),
        reasons=tuple(filter(None, [row.get("reason", "")])),
    )


def _whose(listed: ListedImage, row: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Patient, side, view and examination: of the manifest, else of the DICOM header, else of the name."""
    patient = listed.identity.known_patient
    side = _SIDES.get((row.get("side") or row.get("laterality") or "").strip().casefold(), "")
    view = (row.get("view") or row.get("view_position") or row.get("projection") or "").strip().upper()
    exam = next((row[column] for column in _EXAM_COLUMNS if row.get(column)), "")
    by_suffix = listed.image.suffix.lower() in IMAGE_SUFFIXES
    if not row and not by_suffix:
        try:
            facts = read_facts(listed.image)
        except InputError:
            pass
        else:
            patient, side, view = facts.PatientID or patient, facts.laterality, facts.view
    words = listed.stem.upper().replace("-", "_").split("_")
    side = side or next((_SIDES[word.casefold()] for word in words if word.casefold() in _SIDES), "")
    view = view or next((word for word in words if word in ("CC", "MLO")), "")
    return patient, side, view, exam


def share_in(row: Mapping[str, str], column: str) -> float | None:
    """A number from 0 to 1 in a row of a table; None where there is none."""
    try:
        value = float(row.get(column) or "nan")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
