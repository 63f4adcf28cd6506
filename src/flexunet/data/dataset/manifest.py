"""`manifest.csv` of a data set: one row a file, with what it descends from and how it was made."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flexunet.data.tables import read_table, write_rows
from flexunet.errors import DatasetError, PathError
from flexunet.files import cannot_read

FILE_NAME = "manifest.csv"
COLUMNS = ("file", "mask", "split", "source", "patient", "operation", "parameters", "sha256")
# Columns that say whom or what an image shows, or what it was made with. Reports compare these; others may be
# bookkeeping (digests, crop boxes, counts of pixels), of which only the user knows whether they matter.
# fmt: off
DESCRIPTIVE = frozenset(
    {
        "class", "finding", "abnormality", "abnormality_type", "lesion_type", "mass_shape",
        "mass_margins", "calc_type", "calc_distribution", "pathology", "diagnosis", "severity",
        "subtlety", "assessment", "birads", "bi_rads", "grade", "density", "breast_density", "acr",
        "breast_birads", "tissue", "side", "laterality", "view", "view_position", "projection", "age",
        "age_group", "sex", "gender", "ethnicity", "race", "implant", "implants", "menopause",
        "modality", "vendor", "manufacturer", "manufacturer_model_name", "model", "scanner", "device",
        "machine", "digitizer", "site", "center", "centre", "hospital", "institution", "country",
        "dataset", "study", "cohort", "operation",
    }
)
# fmt: on


@dataclass
class Manifest:
    """Rows of `manifest.csv`. Paths are relative to the data set, with forward slashes.

    Attributes:
        rows: One dictionary a file, all values text, "" where nothing is known.
        notes: What a user should know of how it was read, a sentence each.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def read(cls, root: Path | str) -> "Manifest | None":
        """Manifest of the data set at `root`; None if it has none.

        Raises:
            DatasetError: if the file is not a manifest or names a file twice.
        """
        path = Path(root) / FILE_NAME
        if not path.is_file():
            return None
        table = read_table(path, may_be_short=True, own=True)
        table.find("file")
        manifest = cls(notes=table.notes)
        manifest.append(*(row for _, row in table.rows))
        lines: dict[str, int] = {}
        for (line, _), row in zip(table.rows, manifest.rows, strict=True):
            if (first := lines.setdefault(row["file"], line)) != line:
                raise DatasetError(
                    f"{path} names {row['file']!r} more than once, in lines {first} and {line}. Keep one row "
                    "per file."
                )
        return manifest

    @property
    def by_file(self) -> dict[str, dict[str, str]]:
        """Row of each file."""
        return {row["file"]: row for row in self.rows}

    @property
    def columns(self) -> list[str]:
        """The standard columns, then any further ones in order of appearance."""
        return list(dict.fromkeys([*COLUMNS, *(column for row in self.rows for column in row)]))

    def append(self, *rows: Mapping[str, object]) -> None:
        """Add rows; columns left out are "", path separators become forward slashes."""
        for row in rows:
            text = dict.fromkeys(COLUMNS, "")
            text |= {column: "" if value is None else str(value) for column, value in row.items()}
            for column in ("file", "mask"):
                text[column] = text[column].replace("\\", "/")
            self.rows.append(text)

    def write(self, root: Path | str) -> Path:
        """Write `manifest.csv` at `root`; it appears whole or not at all. Returns its path."""
        path, columns = Path(root) / FILE_NAME, self.columns
        write_rows(path, columns, ([row.get(column, "") for column in columns] for row in self.rows))
        return path


def is_descriptive(column: str) -> bool:
    """Whether a column is one of `DESCRIPTIVE`, however it is written.

    >>> is_descriptive("Breast Density"), is_descriptive("crop_x")
    (True, False)
    """
    return re.sub(r"[^a-z0-9]+", "_", column.casefold()).strip("_") in DESCRIPTIVE


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's content, as the manifest records it.

    Raises:
        PathError: if it cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise PathError(cannot_read(path, error)) from error


def find_root(folder: Path | str) -> Path | None:
    """Find the data set that a folder of images belongs to: the nearest folder above with a manifest.

    Only the folder itself and the three above it are looked at (`root/train/Cancer/images`).
    """
    folder = Path(folder).resolve()
    return next((path for path in (folder, *folder.parents[:3]) if (path / FILE_NAME).is_file()), None)
