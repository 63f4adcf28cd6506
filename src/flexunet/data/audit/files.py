"""The files of a data set: which there are, what belongs together, what is alone or cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flexunet.data.audit.findings import SCORED_SPLITS, Finding
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.listing import ListedImage, list_dataset
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.matching import Matches, listed, stem_of
from flexunet.data.images.files.listing import is_image_file, unread_pictures
from flexunet.errors import counted

_HIDDEN = ("Thumbs.db", "desktop.ini")


@dataclass
class Inventory:
    """All files of a data set.

    Attributes:
        root: The data set.
        entries: Images with their masks, by split, then by name.
        findings: What is wrong with the files as such.
        has_masks: Whether there is any folder of masks.
    """

    root: Path
    entries: list[ListedImage]
    findings: list[Finding]
    has_masks: bool

    @property
    def splits(self) -> list[str]:
        """Splits present, [""] for a folder without splits."""
        return list(dict.fromkeys(entry.split for entry in self.entries))


def take_inventory(root: Path | str) -> Inventory:
    """List the images and masks of a data set; what does not fit becomes a finding, not an error.

    Raises:
        PathError: if there is no data set.
        DatasetError: if the manifest cannot be read.
    """
    root = Path(root)
    folders = find_layout(root)
    entries: list[ListedImage] = []
    findings: list[Finding] = []
    for folder in folders:
        there, matches = list_dataset(root, folder)
        entries += there
        findings += _other_files(root, folder.images)
        if folder.masks:
            findings += _name_findings(root, folder.split, matches, unread_pictures(folder.masks, masks=True))
        elif there and any(other.masks for other in folders):
            what = f"none of the {len(there)} images has a mask: there is no folder of masks"
            names = tuple(entry.name for entry in there)
            findings.append(_unpaired("image-without-mask", names, folder.split, what))
    findings += _manifest_findings(root)
    return Inventory(root, entries, findings, any(folder.masks for folder in folders))


def _other_files(root: Path, folder: Path) -> list[Finding]:
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file()
        and not is_image_file(path)
        and not path.name.startswith(".")
        and path.name not in _HIDDEN
    )
    if not others or folder == root:
        return []
    return [
        Finding(
            "other-files",
            "note",
            tuple(f"{_relative(folder, root)}/{name}" for name in others),
            f"{_relative(folder, root)} has {counted(len(others), 'file')} of other kinds: {listed(others)}.",
            "Move them elsewhere; they are not read.",
        )
    ]


def _name_findings(root: Path, split: str, matches: Matches, unread: str) -> list[Finding]:
    findings = []
    repeated = [*matches.repeated, *matches.repeated_partners]
    if repeated:
        findings.append(
            Finding(
                "name-twice",
                "error",
                tuple(_relative(path, root) for paths in repeated for path in paths),
                f"{counted(len(repeated), 'name occurs', 'names occur')} twice with different endings: "
                f"{listed([stem_of(paths[0]) for paths in repeated])}; which mask is whose is open.",
                "Rename or remove one of each.",
            )
        )
    paired = len(matches.partners)
    for code, alone, what in (
        ("image-without-mask", matches.alone, "images have no mask"),
        ("mask-without-image", matches.strangers, "masks have no image"),
    ):
        if alone:
            names = tuple(_relative(path, root) for path in alone)
            finding = _unpaired(code, names, split, f"{len(alone)} of {len(alone) + paired} {what}")
            remedy = " ".join(filter(None, [matches.hint, finding.remedy])) + unread
            findings.append(replace(finding, remedy=remedy))
    return findings


def _unpaired(code: str, files: tuple[str, ...], split: str, what: str) -> Finding:
    where = f" in {split}" if split else ""
    return Finding(
        code,
        "error",
        files,
        f"{what}{where}: {listed(files)}. Tools that pair by order, not by name, shift all masks after it.",
        "Add what is missing under the same name, or take the file out. An image without a lesion needs an "
        "empty mask.",
    )


def _manifest_findings(root: Path) -> list[Finding]:
    manifest = Manifest.read(root)
    rows = manifest.rows if manifest else []
    missing = tuple(row["file"] for row in rows if not (root / row["file"]).is_file())
    findings = []
    if manifest and manifest.notes:
        findings.append(
            Finding(
                "manifest-doubtful",
                "warning",
                (),
                listed(manifest.notes, separator=" "),
                "Correct manifest.csv, or write it again.",
            )
        )
    if not missing:
        return findings
    return [
        *findings,
        Finding(
            "missing-file",
            "warning",
            missing,
            f"{counted(len(missing), 'file')} of the manifest cannot be found: {listed(missing)}.",
            "Restore them, or take their rows out of manifest.csv.",
        ),
    ]


def unreadable(entry: str, message: str, split: str) -> Finding:
    """Finding for a file that cannot be read."""
    severity = "error" if split in SCORED_SPLITS else "warning"
    return Finding(
        "unreadable", severity, (entry,), message, "Copy or export the file again, or take it out."
    )


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
