"""The trained model of a run: built from its configuration, filled with its best weights.

The architecture is built from the configuration and only arrays are read from the file, so that a weights
file from elsewhere cannot run anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.config.architectures import find_architecture
from flexunet.models.registry import build_model, own_class_of
from flexunet.models.weights.load import load_weights
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config


def load_trained_model(
    config: Config, *, precision: str | None = None, path: Path | None = None
) -> keras.Model:
    """Build the configured model and fill it with the run's best weights.

    Args:
        config: The configuration.
        precision: Number format of the prediction, a Keras dtype policy; none: the one in force.
        path: File of weights, instead of the run's best.

    Raises:
        PathError: if the run has no trained model.
        WeightsError: if its weights do not fit the configuration.
    """
    path = path or RunFolder.of(config).find_model()
    model = build_model(config, policy=prediction_policy(config, precision), drawn=False)
    load_weights(model, path)
    return model


def prediction_policy(config: Config, precision: str | None) -> str | None:
    """The dtype policy that predicts as `precision` does, and fastest.

    Mixed bfloat16 casts every kernel at every step, which for the published model is a tenth of a prediction.
    A model that only predicts may hold its kernels in bfloat16 and multiplies the same numbers. Batch
    normalisation is why others stay mixed: its moving statistics want float32.
    """
    name = config.model.model.strip()
    if precision != "mixed_bfloat16" or config.model.normalization or own_class_of(name):
        return precision
    return "bfloat16" if find_architecture(name).name == "flexunet" else precision
