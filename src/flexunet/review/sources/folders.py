"""Data sets, drafts to review, and folders of images: whatever `find_layout` knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.listing import ListedImage, list_dataset
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dicom.read import DICOM_SUFFIXES, is_dicom_file, read_facts
from flexunet.data.images.files import IMAGE_SUFFIXES
from flexunet.errors import InputError
from flexunet.review.sources.entry import Entry
from flexunet.review.sources.inside import is_inside

_EXAM_COLUMNS = ("exam", "study", "study_date", "exam_date", "date", "acquisition_date")
_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}


@dataclass(frozen=True)
class FolderSource:
    """Images in any layout that `flexunet.data.dataset.layouts` knows, with the masks beside them.

    Attributes:
        root: The folder.
        kind: What it is called: `data set`, `drafts`, `DICOM` or `images`.
    """

    root: Path
    kind: str

    def entries(self) -> tuple[list[Entry], list[str]]:
        """The images, sorted by key, and a sentence on each that is left out.

        Raises:
            PathError: if the folder is missing or holds no images.
            DatasetError: if its manifest cannot be read.
        """
        entries, notes = [], []
        for folder in find_layout(self.root):
            images, _ = list_dataset(self.root, folder)
            for listed in images:
                if not is_inside(listed.image, self.root):
                    notes.append(f"{listed.name} is left out: it is a link to a file outside {self.root}.")
                    continue
                entries.append(self._entry(listed))
        return sorted(entries, key=lambda entry: entry.key), notes

    def _entry(self, listed: ListedImage) -> Entry:
        row = listed.identity.row
        patient, side, view, exam = _whose(listed, row)
        mask = listed.mask if listed.mask and is_inside(listed.mask, self.root) else None
        return Entry(
            listed.name,
            listed.image,
            mask,
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


def _is_data_set(root: Path) -> bool:
    return any((root / split / "images").is_dir() for split in SPLITS)


def _is_drafts(root: Path) -> bool:
    manifest = Manifest.read(root)
    return manifest is not None and any(row.get("reason") for row in manifest.rows)


def _is_dicom(root: Path) -> bool:
    def images() -> Iterator[Path]:
        for folder in find_layout(root):
            yield from sorted(folder.images.iterdir())[:1]

    return all(path.suffix.lower() in DICOM_SUFFIXES or is_dicom_file(path) for path in images())


KINDS: tuple[tuple[str, Callable[[Path], bool]], ...] = (
    ("data set", _is_data_set),
    ("drafts", _is_drafts),
    ("DICOM", _is_dicom),
    ("images", lambda _: True),
)
"""What a folder is called, and whether it is that; the first that fits."""


def folder_source(root: Path) -> FolderSource:
    """The source of a folder, of the first kind that fits."""
    return FolderSource(root, next(kind for kind, fits in KINDS if fits(root)))
