"""A trained model of a run: where its weights lie, and how they come back.

The architecture is built from the configuration and only arrays are read from the file, so that a weights
file from elsewhere cannot run anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import PathError
from flexunet.models.registry import build_model
from flexunet.models.weights import load_weights

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

MODEL_FILE = "best_model.keras"
WEIGHTS_FILE = "best_model.weights.h5"
# What the published system writes, whatever its save_weights_only says.
PUBLISHED_FILE = "best_model.h5"


def best_model_path(config: Config) -> Path:
    """Where a training run saves its best model: with its architecture, or weights alone."""
    name = WEIGHTS_FILE if config.train.save_weights_only else MODEL_FILE
    return config.output(config.train.model_dir) / name


def find_model_file(config: Config) -> Path:
    """The best model of a run, ours or the published system's.

    Raises:
        PathError: if `[train] model_dir` holds none.
    """
    model_dir = config.output(config.train.model_dir)
    candidates = [best_model_path(config)]
    candidates += [model_dir / name for name in (MODEL_FILE, WEIGHTS_FILE, PUBLISHED_FILE)]
    for path in candidates:
        if path.is_file():
            return path
    raise PathError(
        f"no trained model in {model_dir}: expected {MODEL_FILE}, {WEIGHTS_FILE} or {PUBLISHED_FILE} there. "
        f"Train one with 'flexunet train {config.source}', or point [train] model_dir at its folder."
    )


def load_trained_model(config: Config) -> keras.Model:
    """Build the configured model and fill it with the run's best weights.

    Raises:
        PathError: if the run has no trained model.
        WeightsError: if its weights do not fit the configuration.
    """
    path = find_model_file(config)
    model = build_model(config)
    load_weights(model, path)
    return model
