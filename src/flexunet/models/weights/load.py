"""Weights files: load any that Keras 2 or 3 wrote, save ours, say what one holds.

load_weights(model, "best_model.h5")           arrays only; nothing in the file is executed
save_weights(model, "best_model.weights.h5")   whole or not at all
describe_weights("best_model.h5").settings     {"num_layers": 8, "base_filters": 16, ...}
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from flexunet.errors import PathError, WeightsError
from flexunet.files import replacing
from flexunet.models.keras_private import functional_class
from flexunet.models.layers.layer_variables import refresh_constants, whole_layers_with_variables
from flexunet.models.weights.file import StoredLayer, StoredWeights, open_weights
from flexunet.models.weights.fit import pair_weights, unet_settings


@dataclass(frozen=True)
class WeightsDescription:
    """What a weights file holds.

    Attributes:
        path: The file.
        form: What kind of file it is, in words.
        layers: Name of each layer that holds weights, and their shapes.
        parameters: Numbers in all.
        settings: Keys of `[model]` that fit it, where it holds a FlexUNet.
    """

    path: Path
    form: str
    layers: list[tuple[str, list[tuple[int, ...]]]]
    parameters: int
    settings: dict[str, Any] | None


def describe_weights(path: str | Path) -> WeightsDescription:
    """Say what a weights file holds, without a model.

    Raises:
        PathError: if there is no such file.
        WeightsError: if it holds no weights that can be read.
    """
    with open_weights(path) as stored:
        return WeightsDescription(
            path=stored.path,
            form=stored.form,
            layers=[(layer.name, layer.shapes) for layer in stored.layers],
            parameters=sum(math.prod(shape) for layer in stored.layers for shape in layer.shapes),
            settings=unet_settings((layer.kind, layer.shapes) for layer in stored.layers),
        )


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Fill a model with the weights of a file.

    Read are `.h5` files of Keras 2 and 3 (full model or weights only), `.weights.h5` and `.keras`. The
    architecture comes from the configuration; of the file only arrays are read. Where the file does not
    fit, the model is left as it was.

    Args:
        model: A built model; changed in place.
        path: The file.

    Raises:
        PathError: if there is no such file.
        WeightsError: if it cannot be read, or does not fit: the message names the layer, what was found and
            wanted, and the keys of the configuration that would fit.
    """
    with open_weights(path) as stored:
        if stored.is_nested:
            _load_nested(model, stored)
            return
        pairs = list(pair_weights(model, stored))
        # Read twice, each array by itself: the model changes only once all can be read, and memory never
        # holds a second copy of all weights.
        for _, array in pairs:
            array.read(stored.path)
        for variable, array in pairs:
            variable.assign(array.read(stored.path))
    refresh_constants(model)


def _load_nested(model: keras.Model, stored: StoredWeights) -> None:
    """Layers within layers: Keras knows the places, and reads arrays alone.

    The reader above has by then seen every group and array, and refused links and other files.
    """
    before = [np.array(variable) for variable in model.weights]
    try:
        # Keras warns of what does not fit before it says so in an error; ours says it once.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_weights(stored.path)
    except (ValueError, KeyError, TypeError, OSError) as error:
        for variable, values in zip(model.weights, before, strict=True):
            variable.assign(values)
        raise WeightsError(f"{stored.path} does not fit the configured model: {error}") from error


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write a model's weights so that the file is whole or not there at all.

    Args:
        model: The model.
        path: `.keras` holds the architecture too; `.weights.h5` is Keras 3's weights file; any other `.h5` is
            written in the layout of Keras 2, which plain TensorFlow of any version loads with `load_weights`.

    Raises:
        PathError: if the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in {".keras", ".h5"}:
        raise PathError(f"cannot save weights as {path}: expected a name in .keras, .weights.h5 or .h5.")
    model = _without_training(model)
    with replacing(path) as temporary:
        if path.suffix == ".keras":
            model.save(temporary)
        elif path.name.endswith(".weights.h5"):
            # Keras insists on the double suffix.
            named = temporary.with_suffix(".weights.h5")
            try:
                model.save_weights(named)
                named.replace(temporary)
            finally:
                named.unlink(missing_ok=True)
        else:
            _write_keras2(model, temporary)


def _without_training(model: keras.Model) -> keras.Model:
    """The same layers without optimizer and loss, which Keras would keep in the file beside the weights.

    Two moments make a file three times as large, and Keras opens it with this package's classes alone.
    """
    functional = functional_class()
    # A class of one's own may be more than its layers.
    return functional(model.input, model.output, name=model.name) if type(model) is functional else model


def _write_keras2(model: keras.Model, path: Path) -> None:
    """The layout of Keras 2: a group a layer, named in order by attributes."""
    weights_of = {id(layer): variables for layer, variables in whole_layers_with_variables(model)}
    with h5py.File(path, "w") as root:
        root.attrs["backend"] = "tensorflow"
        root.attrs["keras_version"] = "2.10.0"
        _set_names(root, "layer_names", [layer.name for layer in model.layers])
        for layer in model.layers:
            group = root.create_group(layer.name)
            variables = weights_of.get(id(layer), [])
            # A layer within a layer keeps its own part of the path, as `attention/query/kernel`.
            names = [
                f"{layer.name}/{variable.path.removeprefix(f'{layer.name}/')}:0" for variable in variables
            ]
            _set_names(group, "weight_names", names)
            for name, variable in zip(names, variables, strict=True):
                group.create_dataset(name, data=keras.ops.convert_to_numpy(variable.value))


def _set_names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names as an attribute; HDF5 allows 64 KiB in one, so a long list is split as Keras does."""
    encoded = np.array([name.encode("utf-8") for name in names], dtype=bytes)
    parts = max(1, math.ceil(encoded.nbytes / 60_000))
    if parts == 1:
        group.attrs[attribute] = encoded
        return
    for number, part in enumerate(np.array_split(encoded, parts)):
        group.attrs[f"{attribute}{number}"] = part


__all__ = [
    "StoredLayer",
    "WeightsDescription",
    "describe_weights",
    "load_weights",
    "save_weights",
]
