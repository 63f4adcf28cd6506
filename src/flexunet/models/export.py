"""Trained models in the forms that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import PathError
from flexunet.models.trained import load_trained_model
from flexunet.models.weights.load import save_weights
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Form to the suffix of its file.
FORMS = {"h5": ".h5", "keras": ".keras"}


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
    if form not in FORMS:
        raise PathError(f"'{form}' is no form to export to: there are {', '.join(FORMS)}.")
    path = Path(out) if out else RunFolder.of(config).exported_model(FORMS[form])
    if path.suffix != FORMS[form] or path.name.endswith(".weights.h5"):
        raise PathError(f"{path}: a file exported to {form} ends in {FORMS[form]} (and not in .weights.h5).")
    if path.exists():
        raise PathError(f"{path} exists: give another name, so that nothing is overwritten.")
    model = load_trained_model(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(model, path)
    return path
