"""Images as they leave a desk: DICOM files without what identifies a person, others as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dicom.deidentify import Pseudonyms, deidentify, has_text_in_pixels, told_by_name
from flexunet.data.dicom.read import is_dicom_file, read_dataset, refusing_damage
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.tables import write_rows
from flexunet.files import replacing

KEY = "pseudonyms.key"  # beside the database, never in an export
TABLE = "deidentified.csv"
_COLUMNS = ("file", "dropped", "burned_in_text", "told_by_file_name")


class ImageCopies:
    """Copies the images of an export, and keeps account of what was dropped.

    Args:
        desk: Folder of the desk, where the key of the pseudonyms lies.
    """

    def __init__(self, desk: Path):
        self.desk = desk
        self.rows: list[tuple[str, str, str, str]] = []
        self._pseudonyms: Pseudonyms | None = None

    def add(self, image: Path, copy: Path, file: str) -> None:
        """Copy an image; `file` is its name in the export.

        Raises:
            ImageError: if a DICOM file is damaged.
            PathError: if the copy cannot be written.
        """
        if image.suffix.lower() in IMAGE_SUFFIXES or not is_dicom_file(image):
            shutil.copyfile(image, copy)
            return
        self._pseudonyms = self._pseudonyms or Pseudonyms.of_file(self.desk / KEY)
        with refusing_damage(image):
            dataset = read_dataset(image)
            text = "look at the image" if has_text_in_pixels(dataset) else ""
            told = "; ".join(told_by_name(dataset, image.name))
            dropped = deidentify(dataset, self._pseudonyms)
            with replacing(copy) as temporary:
                dataset.save_as(temporary, enforce_file_format=True)
        self.rows.append((file, "; ".join(dropped), text, told))

    def finish(self, folder: Path, manifest: Manifest) -> None:
        """Name what was dropped, and give the patients of the manifest their pseudonyms."""
        if self._pseudonyms is None:
            return
        write_rows(folder / TABLE, _COLUMNS, self.rows)
        for row in manifest.rows:
            row["patient"] = self._pseudonyms.patient(row["patient"])
