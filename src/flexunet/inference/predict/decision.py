"""How probabilities become written probabilities and masks: temperature, threshold, post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flexunet.errors import DatasetError, PathError
from flexunet.inference.predict.calibration import (
    Calibration,
    apply_temperature,
    fit_name,
    identity_of,
    stored_fit,
)
from flexunet.inference.predict.postprocess import Postprocess
from flexunet.inference.predict.probabilities import mask_of, two_channels
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.run_sections import InferSection
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Decision:
    """How the probabilities of a model are read.

    Attributes:
        temperature: Divisor of the logits; 1 changes nothing. It changes probabilities, and no mask.
        threshold: Foreground probability, as the model gives it, from which a pixel is lesion; none: the
            likeliest class.
        postprocess: What is done to the mask; none: nothing.
    """

    temperature: float = 1.0
    threshold: float | None = None
    postprocess: Postprocess | None = None

    @classmethod
    def configured(cls, config: Config) -> Decision:
        """What `[infer]` temperature, threshold and postprocess come to; "run": what `evaluate` fitted.

        Raises:
            PathError: if the run has no such fit.
            DatasetError: if the fit is of other weights or of another way to predict.
        """
        if not uses_fit(config.infer):
            return cls.of(config.infer, None)
        stored = stored_fit(config)
        if problem := _problem(config, stored):
            raise problem
        return cls.of(config.infer, stored)

    @classmethod
    def of(cls, infer: InferSection, fitted: Calibration | None) -> Decision:
        """The same with a fit at hand; where there is none, "run" means that nothing is changed."""
        temperature, threshold = _number(infer.temperature), fitted_threshold(infer, fitted)
        if infer.temperature == "run" and fitted is not None:
            temperature = fitted.temperature
        done = fitted.postprocess if fitted is not None and infer.postprocess == "run" else None
        return cls(1.0 if temperature is None else temperature, threshold, done)

    def mask(self, probabilities: np.ndarray) -> np.ndarray:
        """Class of each pixel, uint8 `(H, W)`, from probabilities as the model gives them, `(H, W, C)`."""
        mask = mask_of(probabilities, self.threshold)
        return mask if self.postprocess is None else self.postprocess(mask)

    def calibrate(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities as they are written, float32 `(H, W, C)`."""
        if self.temperature == 1:
            return probabilities
        scaled = apply_temperature(two_channels(probabilities), self.temperature)
        return scaled if probabilities.shape[-1] > 1 else scaled[..., 1:]


def uses_fit(infer: InferSection) -> bool:
    """Whether `[infer]` asks for something that is fitted on the validation split."""
    return "run" in (infer.temperature, infer.threshold, infer.postprocess)


def fitted_threshold(infer: InferSection, fitted: Calibration | None) -> float | None:
    """The threshold of the masks, "run" being the fitted one; None for the most probable class."""
    if infer.threshold == "run":
        return None if fitted is None else fitted.threshold
    return _number(infer.threshold)


def answers(infer: InferSection, fitted: Calibration) -> bool:
    """Whether a fit has the post-processing that `[infer]` asks for, or it asks for none."""
    if infer.postprocess == "none":
        return True
    done = fitted.postprocess
    return done is not None and done.threshold == fitted_threshold(infer, fitted)


def lacks_fit(config: Config) -> bool:
    """Whether `[infer]` asks for a fit that the run does not have, or has for other weights.

    Raises:
        DatasetError: if what it has is damaged.
    """
    return uses_fit(config.infer) and _problem(config, stored_fit(config)) is not None


def _number(value: str | float) -> float | None:
    return None if isinstance(value, str) else float(value)


def _problem(config: Config, stored: Calibration | None) -> PathError | DatasetError | None:
    """What is wrong with the fit of a run, if anything is."""
    fitted = f"'flexunet evaluate {config.source or 'CONFIG'}' fits them on the validation split"
    file = RunFolder.of(config).path / fit_name(config)
    if stored is None:
        return PathError(
            f"[infer] temperature, threshold or postprocess are those of the run, but {file} does "
            f'not exist: {fitted}. Or give numbers, and postprocess = "none".'
        )
    if stored.weights != identity_of(config):
        return DatasetError(
            f"{file} was fitted for other weights, or for another way to predict "
            f"(test_time_augmentation, ensemble, monte_carlo): {fitted} again."
        )
    if not answers(config.infer, stored):
        return DatasetError(
            f"{file} has no post-processing for masks of [infer] threshold = {config.infer.threshold!r}: "
            f'{fitted} again. Or set [infer] postprocess = "none".'
        )
    return None
