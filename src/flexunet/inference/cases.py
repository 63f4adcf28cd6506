"""Images to predict, with what is known of each: pixel spacing, and the film it was cut from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.dataset.manifest import Manifest, find_root
from flexunet.data.derive.crop import CropBox
from flexunet.data.dicom.read import is_dicom_file, read_facts
from flexunet.data.images.files import IMAGE_SUFFIXES, read_image
from flexunet.data.images.spacing import spacing_of_row
from flexunet.errors import ImageError
from flexunet.inference.inputs import require_text

if TYPE_CHECKING:
    from flexunet.config.schema import Config

MIN_SIDE = 8


@dataclass(frozen=True)
class Case:
    """An image to predict.

    Attributes:
        path: Its file.
        label: What tables call it.
        image: uint8 or uint16 `(H, W, 1 or 3)`.
        spacing: Height and width of a pixel in mm; None where nothing tells.
        crop: Where on which film it lies; None where it is no crop.
        is_dicom: Whether it came as DICOM.
    """

    path: Path
    label: str
    image: np.ndarray
    spacing: tuple[float, float] | None
    crop: CropBox | None
    is_dicom: bool


class CaseReader:
    """Reads images; the manifests of their data sets, where they have one, tell more of them.

    Args:
        config: The configuration; `[image] dicom_window` counts.
        labels: The images, and what tables call each.

    Raises:
        DatasetError: if a manifest cannot be read.
    """

    def __init__(self, config: Config, labels: Mapping[Path, str]):
        self.window = config.image.dicom_window
        self.labels = labels
        self.roots = {folder: find_root(folder) for folder in {path.parent for path in labels}}
        manifests = {root: Manifest.read(root) for root in set(self.roots.values()) if root}
        self.rows = {root: manifest.by_file for root, manifest in manifests.items() if manifest}

    def row_of(self, path: Path) -> dict[str, str]:
        """What the manifest says about an image."""
        full, root = path.resolve(), self.roots[path.parent]
        if root is None or not full.is_relative_to(root):
            return {}
        return self.rows[root].get(full.relative_to(root).as_posix(), {})

    def read(self, path: Path) -> Case:
        """Read an image.

        Raises:
            ImageError: if the image cannot be used.
            DatasetError: if its row of the manifest contradicts itself.
        """
        require_text(path)
        image = read_image(path, None, dicom_window=self.window)
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise ImageError(
                f"{path} has {width} x {height} pixels; expected at least {MIN_SIDE} x {MIN_SIDE}. Take it "
                "out of the folder."
            )
        row = self.row_of(path)
        spacing = spacing_of_row(row)
        is_dicom = path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path)
        if is_dicom:
            spacing = read_facts(path).spacing_mm or spacing
        # A copy that augmentation bent or turned lies nowhere on the film.
        is_crop = bool(row.get("crop_width")) and row.get("operation", "") in ("", "original")
        return Case(
            path, self.labels[path], image, spacing, CropBox.from_row(row) if is_crop else None, is_dicom
        )
