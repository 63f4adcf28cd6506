"""What is laid on a desk, of whichever kind: the images of a path, and what further folders tell of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from flexunet.config.files import load_config
from flexunet.data.configured import SPLITS
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.matching import match_names
from flexunet.data.dataset.pairs import list_masks
from flexunet.data.dicom.read import DICOM_SUFFIXES, is_dicom_file
from flexunet.data.images.files.listing import is_image_file
from flexunet.errors import ConfigError, PathError
from flexunet.review.sources.doubt import audit_doubts, predictions_table
from flexunet.review.sources.entry import Entry
from flexunet.review.sources.folders import folder_entries, share_in
from flexunet.review.sources.inside import Fence
from flexunet.run_folder import RUN_CONFIG


@dataclass(frozen=True)
class Given:
    """What a user names.

    Attributes:
        path: The images.
        masks: Folder of their masks, where it is not beside them.
        second: Folder of the masks of another model, to compare with.
        audit: What `flexunet audit --json` wrote of the data set.
        known: Images whose masks are known to be right, to measure readers by.
    """

    path: Path
    masks: Path | None = None
    second: Path | None = None
    audit: Path | None = None
    known: Path | None = None


@dataclass(frozen=True)
class Laid:
    """What is laid on a desk.

    Attributes:
        kind: What it is called.
        entries: The images, sorted by key.
        notes: A sentence on each that is left out.
        second: The mask of another model, by key.
    """

    kind: str
    entries: list[Entry]
    notes: list[str]
    second: dict[str, Path]


def open_source(given: Given) -> Laid:
    """Find the images of a desk.

    Raises:
        PathError: if a folder is missing or holds no images.
        DatasetError: if a manifest, a table or an audit cannot be read.
        ConfigError: if a run folder does not tell which images it predicted.
    """
    kind = next(name for name, fits, _ in KINDS if fits(given.path))
    lay = next(lay for name, _, lay in KINDS if name == kind)
    entries, notes = lay(given)
    if given.audit:
        doubts = audit_doubts(given.audit)
        entries = [
            replace(entry, audit=doubt.weight, reasons=(*entry.reasons, *doubt.reasons))
            if (doubt := doubts.get(entry.key))
            else entry
            for entry in entries
        ]
    second = _matched(entries, given.second) if given.second else {}
    if given.known:
        entries += _known(given.known)
    return Laid(kind, sorted(entries, key=lambda entry: entry.key), notes, second)


def _lay_folder(given: Given) -> tuple[list[Entry], list[str]]:
    entries, notes = folder_entries(given.path)
    return (_with_masks(entries, given.masks) if given.masks else entries), notes


def _lay_run(given: Given) -> tuple[list[Entry], list[str]]:
    """The images that a run has predicted, with its masks."""
    config = load_config(given.path)
    for section, own in (("infer", config.infer), ("tiledinfer", config.tiledinfer)):
        masks = config.output(own.output_dir)
        if own.images_dir and masks.is_dir():
            entries, notes = folder_entries(config.input_folder(section, "images_dir"))
            return _with_masks(entries, given.masks or masks), notes
    raise ConfigError(
        f"{given.path} has no predictions of a configured folder: run flexunet infer first, or give the "
        "images themselves and the predicted masks with --masks."
    )


def _with_masks(entries: list[Entry], folder: Path) -> list[Entry]:
    """The images with the masks of another folder, and with what `infer` wrote of them."""
    table, partners = predictions_table(folder), _matched(entries, folder)
    filled = []
    for entry in entries:
        mask = partners.get(entry.key)
        row = table.get(mask.name, {}) if mask else {}
        unlike = row.get("unlike_training", "")
        reasons = (f"unlike the training images: {unlike}",) if unlike else ()
        filled.append(
            replace(
                entry,
                mask=mask,
                confidence=share_in(row, "confidence"),
                entropy=share_in(row, "entropy"),
                reasons=(*entry.reasons, *reasons),
            )
        )
    return filled


def _matched(entries: list[Entry], folder: Path) -> dict[str, Path]:
    """The file of a folder that belongs to each image, by key."""
    files = list(filter(Fence(folder).holds, list_masks(folder)))
    partners = match_names([entry.image for entry in entries], files).partners
    return {entry.key: partners[entry.image] for entry in entries if entry.image in partners}


def _known(folder: Path) -> list[Entry]:
    entries, _ = folder_entries(folder)
    known = [replace(entry, key=f"known/{entry.key}", mask=None, truth=entry.mask) for entry in entries]
    if not known or any(entry.truth is None for entry in known):
        raise PathError(f"--known {folder}: expected a mask for every image there.")
    return known


def _is_run(path: Path) -> bool:
    return (path / RUN_CONFIG).is_file()


def _is_data_set(path: Path) -> bool:
    return any((path / split / "images").is_dir() for split in SPLITS)


def _is_drafts(path: Path) -> bool:
    manifest = Manifest.read(path)
    return manifest is not None and any(row.get("reason") for row in manifest.rows)


def _is_dicom(path: Path) -> bool:
    if not path.is_dir():
        return False
    folder = path / "images" if (path / "images").is_dir() else path
    first = next((each for each in sorted(folder.iterdir()) if is_image_file(each)), None)
    return first is not None and (first.suffix.lower() in DICOM_SUFFIXES or is_dicom_file(first))


Laying = Callable[[Given], tuple[list[Entry], list[str]]]
KINDS: tuple[tuple[str, Callable[[Path], bool], Laying], ...] = (
    ("predictions", _is_run, _lay_run),
    ("data set", _is_data_set, _lay_folder),
    ("drafts", _is_drafts, _lay_folder),
    ("DICOM", _is_dicom, _lay_folder),
    ("images", lambda _: True, _lay_folder),
)
"""What a path is called, whether it is that, and how its images are found; the first that fits."""
