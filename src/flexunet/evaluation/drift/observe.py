"""Look at an image as `flexunet infer` does, and measure it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import channels_read, image_reader
from flexunet.data.dataset.identity import Identity
from flexunet.data.dicom.read import is_dicom_file, read_facts
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.evaluation.drift.measures import (
    Measured,
    measures_of_acquisition,
    measures_of_picture,
    measures_of_prediction,
)
from flexunet.inference.outputs.lesions import clean_mask
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor

if TYPE_CHECKING:
    from flexunet.config.schema import Config


class Observer:
    """Measures images and what a run's model makes of them; the model is loaded when it is needed.

    Args:
        config: The configuration of the run.

    Raises:
        PathError: if the run lacks the fit that `[infer]` asks for.
    """

    def __init__(self, config: Config):
        self.config = config
        self.reader = image_reader(config)
        self.decision = Decision.configured(config)
        self._predictor: Predictor | None = None

    def look(
        self, path: Path, identity: Identity, *, picture: bool = True, predicted: bool = True
    ) -> Measured:
        """Measures of an image.

        Args:
            path: Its file.
            identity: What is known of it.
            picture: Whether the picture and its acquisition are measured.
            predicted: Whether the model is asked.

        Raises:
            ImageError: if the image cannot be used.
            DatasetError: if its row of the manifest contradicts itself.
        """
        image = self.reader.read(path, channels_read(self.config))
        facts = read_facts(path) if self.is_dicom(path) else None
        spacing = (facts.spacing_mm if facts else None) or identity.spacing
        told: Measured = {}
        if picture:
            told |= measures_of_picture(image) | measures_of_acquisition(identity, facts, spacing)
        if predicted:
            told |= self._predicted(image, spacing)
        return told

    @staticmethod
    def is_dicom(path: Path) -> bool:
        """Whether a file has a DICOM header."""
        return path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path)

    def _predicted(self, image: np.ndarray, spacing: tuple[float, float] | None) -> Measured:
        if self._predictor is None:
            self._predictor = Predictor.load(self.config)
        probabilities = self._predictor(image)
        mask = clean_mask(self.decision.mask(probabilities), self.config.infer, spacing)
        return measures_of_prediction(mask, probabilities)
