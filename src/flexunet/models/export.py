"""Trained models in the forms that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.models.trained import load_trained_model
from flexunet.models.weights.load import save_weights
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def export_model(config: Config, form: str, out: str | Path | None = None) -> Path:
    """Write a run's best model in another form.

    Args:
        config: Configuration of the run.
        form: "h5": weights in the layout of Keras 2, which `load_weights` of plain TensorFlow and Keras reads
            into the same architecture; "keras": architecture and weights, for Keras 3.
        out: File to write; none: `exported` with the form's suffix, beside the best model.

    Returns:
        The file written.

    Raises:
        PathError: if the run has no model, the form is unknown, or the file exists.
        WeightsError: if the run's weights do not fit its configuration.
    """
    path = RunFolder.of(config).new_exported_model(form, Path(out) if out else None)
    model = load_trained_model(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(model, path)
    return path
