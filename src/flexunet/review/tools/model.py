"""The run's own model, asked about a part of an image. No engine starts before the first question."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import image_reader
from flexunet.review.readings.runs import Box

if TYPE_CHECKING:
    from flexunet.config.schema import Config


class RunModel:
    """A trained run.

    Args:
        config: Its configuration.
    """

    def __init__(self, config: Config):
        self.config = config
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._read: tuple[Path, int, np.ndarray] | None = None

    def predict(self, path: Path, box: Box) -> tuple[np.ndarray, Box]:
        """Classes in a box of an image, at the image's own resolution.

        The model is shown the box with what lies around it, at least as much as it takes at once.

        Args:
            path: The image file.
            box: Which part.

        Returns:
            Labels, uint8 `(height, width)` of the box, and the part that the model was shown.

        Raises:
            ShapeError: if the box is not inside the image.
            ImageError, PathError, WeightsError, EngineError: if image or model cannot be used.
        """
        with self._lock:
            predictor, decision = self._open()
            image = self._image(path)
            box.check((image.shape[0], image.shape[1]))
            seen = _grown(box, predictor.width, predictor.height, image.shape)
            labels = decision.mask(predictor.predict(image[seen.slices]).probabilities)
        return labels[Box(box.x - seen.x, box.y - seen.y, box.width, box.height).slices], seen

    def _open(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from flexunet.inference.predict.decision import Decision
            from flexunet.inference.predict.predictor import Predictor

            self._loaded = Predictor.load(self.config), Decision.configured(self.config)
        return self._loaded

    def _image(self, path: Path) -> np.ndarray:
        changed = path.stat().st_mtime_ns
        if self._read is None or self._read[:2] != (path, changed):
            pixels = image_reader(self.config).read(path, self.config.model.image_channels)
            self._read = path, changed, pixels
        return self._read[2]


def _grown(box: Box, width: int, height: int, shape: tuple[int, ...]) -> Box:
    """The box, grown on all sides to a size where the image allows."""

    def side(start: int, length: int, wanted: int, limit: int) -> tuple[int, int]:
        wanted = min(max(length, wanted), limit)
        first = min(max(start - (wanted - length) // 2, 0), limit - wanted)
        return first, wanted

    x, width = side(box.x, box.width, width, shape[1])
    y, height = side(box.y, box.height, height, shape[0])
    return Box(x, y, width, height)
