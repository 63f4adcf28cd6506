"""Where the trained model of a run lies; found without starting an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import PathError

if TYPE_CHECKING:
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
