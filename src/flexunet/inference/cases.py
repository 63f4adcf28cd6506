"""Images to predict, with what is known of each: pixel spacing, and the film it was cut from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import image_reader
from flexunet.data.dataset.identity import Identities, Identity
from flexunet.data.derive.crop import CropBox
from flexunet.data.dicom.read import is_dicom_file, read_facts
from flexunet.data.images.appearance import Appearance, unlike_training
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.images.files.read import read_image
from flexunet.data.images.grey_range import apply_range
from flexunet.data.images.normalise import normalise
from flexunet.errors import ImageError
from flexunet.inference.inputs import require_text
from flexunet.run_folder import RunFolder

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
        notes: What a user should know of it, one sentence each.
        highest: Highest value in a 16-bit file other than DICOM; 0 of other files.
        unlike_training: In what it is unlike the training images; "" where it is not, or nothing is known.
    """

    path: Path
    label: str
    image: np.ndarray
    spacing: tuple[float, float] | None
    crop: CropBox | None
    is_dicom: bool
    notes: tuple[str, ...] = ()
    highest: int = 0
    unlike_training: str = ""


class CaseReader:
    """Reads images; the manifests of their data sets, where they have one, tell more of them.

    Args:
        config: The configuration of a run; how it reads images, and what those of its training looked like.
        labels: The images, and what tables call each.

    Raises:
        DatasetError: if a manifest cannot be read.
    """

    def __init__(self, config: Config, labels: Mapping[Path, str]):
        self.reader = image_reader(config)
        self.normalize = config.image.normalize
        self.appearance = Appearance.read(RunFolder.at(config.run_dir).appearance)
        self.labels = labels
        self.identities = {
            folder: Identities.of_folder(folder) for folder in {path.parent for path in labels}
        }

    def identity_of(self, path: Path) -> Identity:
        """Whose image it is, by manifest or name."""
        return self.identities[path.parent].of(path)

    def read(self, path: Path) -> Case:
        """Read an image.

        Raises:
            ImageError: if the image cannot be used.
            DatasetError: if its row of the manifest contradicts itself.
        """
        require_text(path)
        stored = read_image(path, None, dicom_window=self.reader.dicom_window)
        image = stored
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise ImageError(
                f"{path} has {width} x {height} pixels; expected at least {MIN_SIDE} x {MIN_SIDE}. Take it "
                "out of the folder."
            )
        identity = self.identity_of(path)
        spacing = identity.spacing
        notes, highest = [], 0
        is_dicom = path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path)
        if is_dicom:
            facts = read_facts(path)
            spacing = facts.spacing_mm or spacing
            notes += facts.doubts(path)
        elif stored.dtype == np.uint16:
            image = apply_range(stored, self.reader.grey_range)
            highest = int(stored.max())
        # A copy that augmentation bent or turned lies nowhere on the film.
        crop = None
        if identity.row.get("crop_width") and not identity.operation:
            crop = CropBox.from_row(identity.row)
        unlike = unlike_training(image, self.appearance, normalise(image, self.normalize))
        return Case(path, self.labels[path], image, spacing, crop, is_dicom, tuple(notes), highest, unlike)
