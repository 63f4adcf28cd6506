"""What probabilities are written and which pixels are lesion: temperature and threshold of `[infer]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flexunet.errors import DatasetError, PathError
from flexunet.inference.predict.calibration import Calibration, apply_temperature, identity_of
from flexunet.inference.predict.probabilities import mask_of, two_channels
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Decision:
    """How the probabilities of a model are read.

    Attributes:
        temperature: Divisor of the logits; 1 changes nothing. It changes probabilities, and no mask.
        threshold: Foreground probability, as the model gives it, from which a pixel is lesion; none: the
            likeliest class.
    """

    temperature: float = 1.0
    threshold: float | None = None

    @classmethod
    def configured(cls, config: Config) -> Decision:
        """What `[infer] temperature` and `threshold` come to; "run" is what evaluate fitted for the run.

        Raises:
            PathError: if the run has no such fit.
            DatasetError: if the fit is of other weights or of another way to predict.
        """
        temperature, threshold = config.infer.temperature, config.infer.threshold
        stored = _stored(config) if "run" in (temperature, threshold) else None
        if stored is not None:
            temperature = stored.temperature if temperature == "run" else temperature
            threshold = stored.threshold if threshold == "run" else threshold
        return cls(
            1.0 if isinstance(temperature, str) else float(temperature),
            None if isinstance(threshold, str) else float(threshold),
        )

    def mask(self, probabilities: np.ndarray) -> np.ndarray:
        """Class of each pixel, uint8 `(H, W)`, from probabilities as the model gives them, `(H, W, C)`."""
        return mask_of(probabilities, self.threshold)

    def calibrate(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities as they are written, float32 `(H, W, C)`."""
        if self.temperature == 1:
            return probabilities
        scaled = apply_temperature(two_channels(probabilities), self.temperature)
        return scaled if probabilities.shape[-1] > 1 else scaled[..., 1:]


def _stored(config: Config) -> Calibration:
    fitted = f"'flexunet evaluate {config.source or 'CONFIG'}' fits them on the validation split"
    file = RunFolder.of(config).calibration
    calibration = Calibration.read(config.run_dir)
    if calibration is None:
        raise PathError(
            f"[infer] temperature and threshold are those of the run, but {file} does "
            f"not exist: {fitted}. Or give numbers."
        )
    if calibration.weights != identity_of(config):
        raise DatasetError(
            f"{file} was fitted for other weights, or for another way to predict "
            f"(test_time_augmentation, ensemble, monte_carlo): {fitted} again."
        )
    return calibration
