"""What is done to one image, from its file to its files; knows no folder, no threads and no machines.

    case = work.read(path)                      any thread, any process
    prediction = work.predict(case, predictor)  where the model is
    record = work.write(case, name, prediction)

An `ImageWork` holds no model and can be pickled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flexunet.inference.cases import Case, CaseReader
from flexunet.inference.outputs.lesions import clean_mask
from flexunet.inference.outputs.write import Outputs, Record
from flexunet.inference.predict.predictor import Prediction, Predictor


class ImageWork:
    """The steps from an image's file to its mask, overlay and lesions.

    Args:
        reader: Reads the images.
        outputs: Writes what comes of them.
        tiled: Whether images are predicted tile by tile.
    """

    def __init__(self, reader: CaseReader, outputs: Outputs, *, tiled: bool = False):
        self.reader = reader
        self.outputs = outputs
        self.tiled = tiled

    def read(self, path: Path) -> Case:
        """Read an image.

        Raises:
            ImageError: if it cannot be used.
            DatasetError: if its row of the manifest contradicts itself.
        """
        return self.reader.read(path)

    def predict(self, case: Case, predictor: Predictor) -> Prediction:
        """Predict an image, at its own size.

        Raises:
            ShapeError: if the image does not fit the model.
        """
        return predictor.predict(case.image, tiled=self.tiled)

    def mask(self, case: Case, prediction: Prediction) -> np.ndarray:
        """The mask that is written: class indices, uint8 `(H, W)`, cleaned as `[infer]` says."""
        mask = self.outputs.decision.mask(prediction.probabilities)
        return clean_mask(mask, self.outputs.rules, case.spacing)

    def write(self, case: Case, name: str, prediction: Prediction) -> Record:
        """Write everything about an image.

        Args:
            case: The image.
            name: File name of its mask, ending in .png.
            prediction: What the model says of it.

        Raises:
            PathError: if a file cannot be written.
        """
        mask = self.mask(case, prediction)
        probabilities = self.outputs.decision.calibrate(prediction.probabilities)
        return self.outputs.write(case, name, mask, probabilities, prediction.uncertainty)
