"""Whose image it is, and what the manifest says about it."""

from __future__ import annotations

from pathlib import Path

from flexunet.data.dataset.manifest import Manifest, find_root
from flexunet.data.dataset.names import operation_of, patient_of, source_of
from flexunet.data.images.spacing import parse_spacing
from flexunet.errors import DatasetError
from flexunet.evaluation.tables.rows import ImageOrigin

_SPACING_COLUMNS = ("pixel_spacing_mm", "pixel_spacing")
_NOT_ATTRIBUTES = {"file", "mask", "split", "source", "patient", "parameters", "sha256", *_SPACING_COLUMNS}


class Origins:
    """Source, patient, attributes and pixel spacing of images, from the manifest or from file names.

    Args:
        manifest: Manifest of the data set, or None.
        spacing: Pixel spacing in mm of images that the manifest says nothing about.

    Attributes:
        patients_known: Whether patients come from a manifest.
    """

    def __init__(self, manifest: Manifest | None = None, spacing: tuple[float, float] | None = None) -> None:
        self.spacing = spacing
        self._by_stem: dict[str, list[dict[str, str]]] = {}
        for row in manifest.rows if manifest else ():
            for column in {"file", "mask"}:
                if row[column]:
                    self._by_stem.setdefault(Path(row[column]).stem, []).append(row)
        self.patients_known = manifest is not None and any(row["patient"] for row in manifest.rows)

    @classmethod
    def of_folder(cls, folder: Path | str, spacing: tuple[float, float] | None = None) -> Origins:
        """Origins from the manifest of the data set that a folder of images or masks belongs to."""
        root = find_root(folder)
        return cls(Manifest.read(root) if root else None, spacing)

    @classmethod
    def of_file(cls, path: Path | str, spacing: tuple[float, float] | None = None) -> Origins:
        """Origins from a manifest file, or from the data set folder that holds one.

        Raises:
            DatasetError: if there is none, or it is not named manifest.csv.
        """
        path = Path(path)
        manifest = Manifest.read(path.parent if path.is_file() else path)
        if manifest is None:
            raise DatasetError(f"no manifest at {path}: expected manifest.csv or a folder that holds it.")
        return cls(manifest, spacing)

    def of(self, path: Path) -> tuple[ImageOrigin, tuple[float, float] | None]:
        """Origin of an image or mask file, and its pixel spacing (height, width) in mm where known."""
        row = self._row(path)
        source = row.get("source") or source_of(path.stem)
        patient = row.get("patient") or (source if row.get("source") else patient_of(path.stem))
        attributes = {name: value for name, value in row.items() if name not in _NOT_ATTRIBUTES and value}
        attributes["operation"] = row.get("operation") or operation_of(path.stem) or "original"
        text = next((row[column] for column in _SPACING_COLUMNS if row.get(column)), "")
        spacing = parse_spacing(text, str(path)) if text else self.spacing
        return ImageOrigin(path.stem, source, patient, attributes), spacing

    def _row(self, path: Path) -> dict[str, str]:
        rows = self._by_stem.get(path.stem, [])
        if len(rows) > 1:
            # The same stem in several splits: the one whose path this file's path ends in.
            full = path.resolve().as_posix()
            rows = [
                row for row in rows if any(row[c] and full.endswith("/" + row[c]) for c in ("file", "mask"))
            ]
        return rows[0] if rows else {}
