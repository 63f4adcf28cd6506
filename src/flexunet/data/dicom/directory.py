"""DICOMDIR: the index of a disc or an export, to the image files that it lists (DICOM PS3.3 F, PS3.10 8)."""

from __future__ import annotations

from pathlib import Path

from flexunet.data.dicom.read import read_header, refusing_damage
from flexunet.errors import ImageError

DICOMDIR = "DICOMDIR"


def images_of_dicomdir(path: Path) -> list[Path]:
    """The images that an index lists, in its order; a file that it lists and that is missing is among them.

    Raises:
        ImageError: if the index cannot be read, or names a file outside its folder.
    """
    with refusing_damage(path):
        found = []
        for record in read_header(path).get("DirectoryRecordSequence") or ():
            if record.get("DirectoryRecordType") != "IMAGE":
                continue
            names = record.get("ReferencedFileID") or ()
            parts = (names,) if isinstance(names, str) else tuple(map(str, names))
            if not parts or any(part in ("", ".", "..") or set(part) & set("/\\:\0") for part in parts):
                raise ImageError(
                    f"{path} lists the file {names!r}; expected names of folders and a file below its own. "
                    "Give the folders of the images instead of the index."
                )
            found.append(_in_spite_of_case(path.parent, parts))
        return found


def _in_spite_of_case(folder: Path, parts: tuple[str, ...]) -> Path:
    """A file of the index; discs are often mounted with small letters where the index has capitals."""
    path = folder
    for part in parts:
        exact = path / part
        if not exact.exists() and path.is_dir():
            alike = (other for other in path.iterdir() if other.name.casefold() == part.casefold())
            exact = next(alike, exact)
        path = exact
    return path
