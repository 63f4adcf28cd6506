"""Temperature, threshold and post-processing of a run: `evaluate` fits them, `infer` and `serve` use them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flexunet.errors import DatasetError
from flexunet.files import write_text
from flexunet.inference.predict.passes import most_turns
from flexunet.inference.predict.postprocess import Postprocess
from flexunet.inference.predict.probabilities import two_channels
from flexunet.inference.runtimes.bundle import MANIFEST, read_bundle
from flexunet.run_folder import CALIBRATION, ENSEMBLE_CALIBRATION, RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

SCHEMA = "flexunet.calibration/1"
SMALLEST = 1e-7  # probability below which its logarithm counts as that of this


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and on what.

    Attributes:
        split: Split it was fitted on.
        images: Number of its images.
        temperature: Divisor of the logits; above 1 the model was too sure of itself.
        threshold: Foreground probability (as the model gives it) with the best Dice.
        log_loss_before: Mean negative log-likelihood of the sampled pixels as the model gives them.
        log_loss_after: The same after scaling.
        dice_at_half: `dice_pooled` of foreground against background at threshold 0.5.
        dice_at_threshold: The same at the threshold.
        weights: What it belongs to, as `identity_of` gives it.
        postprocess: What helps the predicted masks; None where that was not looked at.
    """

    split: str
    images: int
    temperature: float
    threshold: float
    log_loss_before: float
    log_loss_after: float
    dice_at_half: float
    dice_at_threshold: float
    weights: str = ""
    postprocess: Postprocess | None = None

    def scale(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities after temperature scaling, with a channel for background."""
        return apply_temperature(two_channels(probabilities), self.temperature)

    def write(self, folder: Path, name: str = CALIBRATION) -> Path:
        """Store it in a run folder."""
        path = folder / name
        write_text(path, json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n")
        return path

    @classmethod
    def read(cls, folder: Path, name: str = CALIBRATION) -> Calibration | None:
        """Read it from a run folder; None where there is none.

        Raises:
            DatasetError: if the file is not a calibration, or was fitted on the test split.
        """
        path = folder / name
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("schema") != SCHEMA:
                raise ValueError(f"expected schema {SCHEMA}")
            done = values.pop("postprocess", None)
            found = cls(**values, postprocess=None if done is None else Postprocess.from_document(done))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(
                f"{path} is not a calibration ({error}). Remove it; `flexunet evaluate` fits it again."
            ) from error
        refuse_test(found.split, str(path))
        return found


def fit_name(config: Config) -> str:
    """Name of the file in the run folder that holds a fit: that of an ensemble leaves the run's alone."""
    return ENSEMBLE_CALIBRATION if config.infer.ensemble else CALIBRATION


def stored_fit(config: Config) -> Calibration | None:
    """What was fitted for the way in which a run predicts, fresh or stale; None where nothing was.

    Raises:
        DatasetError: if the file is damaged.
    """
    names = dict.fromkeys((fit_name(config), CALIBRATION))  # ensembles had no file of their own before
    fits = (Calibration.read(config.run_dir, name) for name in names)
    return next((fit for fit in fits if fit is not None), None)


def refuse_test(split: str, where: str) -> None:
    """Raise if something would be fitted on the test split.

    Raises:
        DatasetError: always, for `test`.
    """
    if split == "test":
        raise DatasetError(
            f"{where}: temperature, threshold and post-processing must not be fitted on the test split, "
            "which would make its scores untrue. Fit them on the validation split ([valid] images_dir)."
        )


def sha256_of_weights(path: Path) -> str:
    """SHA-256 of a weights file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def identity_of(config: Config) -> str:
    """What a calibration belongs to: weights, and the way in which they predict.

    Returns:
        SHA-256 of the weights file; where `[infer]` asks for more than one prediction of an image, or for
        another fit, of that and of the weights of all runs that take part.

    Raises:
        PathError: if a run has no trained model.
        ConfigError: if the configuration of one cannot be read.
    """
    return identity_of_weights([_weights_of(run) for run in member_configs(config)], config)


def identity_of_weights(weights: list[str], config: Config) -> str:
    """`identity_of` where the digests of the weights are at hand."""
    infer = config.infer
    fit = [] if infer.fit == "resize" else [infer.fit]
    if not (infer.ensemble or infer.test_time_augmentation or infer.monte_carlo or fit):
        return weights[0]
    most = most_turns(config)
    passes = [most] if infer.test_time_augmentation and most else []
    told = json.dumps([weights, infer.test_time_augmentation, infer.monte_carlo, *fit, *passes])
    return hashlib.sha256(told.encode()).hexdigest()


def _weights_of(run: Config) -> str:
    """Digest of a run's weights file; of an exported model, what its `export.json` has of them."""
    if (run.folder / MANIFEST).is_file():
        return read_bundle(run.folder).weights
    return sha256_of_weights(RunFolder.of(run).find_model())


def member_configs(config: Config) -> list[Config]:
    """The runs that predict: those of `[infer] ensemble`, else the run itself.

    Raises:
        ConfigError: if the configuration of one cannot be read.
    """
    from flexunet.config.files import load_config

    return [load_config(config.resolve(run)) for run in config.infer.ensemble] or [config]


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Softmax of the logits divided by the temperature, `(..., C)`.

    Source: Guo et al. (2017), On Calibration of Modern Neural Networks, ICML.
    """
    if temperature == 1:
        return probabilities
    if probabilities.shape[-1] == 2:
        # Two classes need the odds alone, which saves the sums over a short last axis.
        inside = np.clip(probabilities[..., 1], SMALLEST, 1 - SMALLEST)
        odds = np.exp(np.log((1 - inside) / inside) / temperature)
        scaled = (1 / (1 + odds)).astype(np.float32)
        return np.stack([1 - scaled, scaled], axis=-1)
    logits = np.log(np.clip(probabilities, SMALLEST, 1)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
