"""From a published weights file and its configuration to a run folder that evaluate and infer accept.

Of the file only arrays and the names of layers are read. Three things that published files say by their
layers alone are followed, and told: whether the model divides its input by 255, whether its backbone was
pretrained, and whether one channel stands for two classes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np
from keras import layers

from flexunet.config.architectures import Architecture, find_architecture
from flexunet.config.files import save_config
from flexunet.errors import WeightsError
from flexunet.models.registry import build_model, own_class_of
from flexunet.models.weights.backbone import IMAGENET_DEVIATION
from flexunet.models.weights.file import open_weights, split_name
from flexunet.models.weights.fitting_keys import with_fitting_keys
from flexunet.models.weights.load import load_weights, save_weights
from flexunet.models.weights.transfer import classes_in
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

MODEL_DIR = "./models"


@dataclass
class ImportedRun:
    """What an import came to.

    Attributes:
        run_dir: The run folder.
        model_path: The model in it.
        form: What kind of file the weights came from.
        sha256: Digest of that file.
        parameters: Numbers in the model.
        notes: What a reader should know, one sentence each.
    """

    run_dir: Path
    model_path: Path
    form: str
    sha256: str
    parameters: int
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}


def import_weights(weights: str | Path, config: Config, out: str | Path) -> ImportedRun:
    """Write a run folder with the model that a configuration describes and the weights of a file.

    Args:
        weights: `best_model.h5` or another weights file of Keras 2 or 3.
        config: The configuration that the file was trained with.
        out: Folder to write; `config.toml` and `models/best_model.keras` in it.

    Returns:
        What was written.

    Raises:
        PathError: if there is no such file, or the folder holds a run already.
        WeightsError: if the file does not fit the configuration; the message names the layer, what was found
            and the keys that would fit.
    """
    weights, out = Path(weights), Path(out)
    run = RunFolder.at(out)
    run.require_new()
    model_path = run.best_model
    config = config.model_copy(deep=True)
    with open_weights(weights) as stored:
        form = stored.form
    kinds = layer_kinds(weights)
    notes = _follow_scaling(config, kinds)
    model, more = _filled_model(config, weights, kinds)
    notes += more
    config.train.run_dir = out.absolute().as_posix()
    config.train.model_dir = MODEL_DIR
    config.train.save_weights_only = False
    model_path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(model, model_path)
    # The configuration last: a folder with it is a whole run.
    save_config(config, run.config)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return ImportedRun(out, model_path, form, digest, model.count_params(), notes)


def layer_kinds(path: Path) -> dict[str, int] | None:
    """How many layers of each kind a `.h5` file names, those without weights too; none for other files."""
    if not h5py.is_hdf5(path):
        return None
    with h5py.File(path, "r") as root:
        link = root.get("model_weights", getlink=True)
        group = root["model_weights"] if isinstance(link, h5py.HardLink) else root
        names: list[Any] = []
        for attribute in ("layer_names", *(f"layer_names{part}" for part in range(1000))):
            if attribute in group.attrs:
                names += list(np.ravel(group.attrs[attribute]))
    if not names:
        return None
    kinds: dict[str, int] = {}
    for name in names:
        kind = split_name(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def _row(config: Config) -> Architecture | None:
    name = config.model.model
    return None if own_class_of(name) else find_architecture(name)


def _follow_scaling(config: Config, kinds: dict[str, int] | None) -> list[str]:
    """Divide by 255 exactly where the model in the file does, whatever the configuration says."""
    options = config.model
    row = _row(config)
    if kinds is None or row is None:
        return []
    # EfficientNets have a Rescaling of their own.
    scaling = {"scale_input"} if row.one_channel else {"lambda", "rescaling", "scale_input"}
    scaled = not scaling.isdisjoint(kinds)
    said = "input_normalize" in options.model_fields_set or row.name == "flexunet"
    before = options.input_normalize
    options.input_normalize = scaled
    if said and before != scaled:
        return [
            f"input_normalize is {before} in the configuration, but the model in the file "
            f"{'divides' if scaled else 'does not divide'} its input by 255: the run has {scaled}."
        ]
    return []


def _filled_model(
    config: Config, weights: Path, kinds: dict[str, int] | None
) -> tuple[keras.Model, list[str]]:
    """The configured model with the file's weights, and what there is to say about it."""
    row, notes = _row(config), list[str]()
    model = build_model(config, policy="float32")
    classes = config.model.num_classes
    if row and row.constant_from and classes >= row.constant_from and classes_in(weights) == 1:
        notes.append(
            f"The published {config.model.model} puts one channel before its softmax and answers 1.0 "
            "everywhere: training cannot have changed it. Use its weights only as a start for training."
        )
    try:
        load_weights(model, weights)
    except WeightsError as error:
        if not (row and row.one_channel and classes == 2 and classes_in(weights) == 1):
            raise with_fitting_keys(error, config, weights) from error
        _load_one_channel(model, config, weights)
        notes.append(
            "The file answers two classes by one sigmoid channel p; the model answers 1 - p and p by "
            "softmax, which is the same."
        )
    if kinds and kinds.get("rescaling", 0) > 1:
        scale_as_pretrained(model)
        notes.append(
            "The backbone in the file was pretrained on ImageNet; its input is scaled as it was there."
        )
    return model, notes


def _load_one_channel(model: keras.Model, config: Config, weights: Path) -> None:
    """Fill a two-class model from a one-channel file: softmax of (0, z) is (1 - sigmoid(z), sigmoid(z))."""
    twin_config = config.model_copy(deep=True)
    twin_config.model.num_classes = 1
    twin = build_model(twin_config, policy="float32")
    load_weights(twin, weights)
    for layer, source in zip(model.layers, twin.layers, strict=True):
        arrays = source.get_weights()
        if layer is model.layers[-1]:
            arrays = [np.concatenate([np.zeros_like(array), array], axis=-1) for array in arrays]
        layer.set_weights(arrays)


def scale_as_pretrained(model: keras.Model) -> None:
    """Take the scaling that keras.applications adds for pretrained EfficientNets into the normalisation."""
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            mean, variance, count = layer.get_weights()
            layer.set_weights([mean, variance * np.asarray(IMAGENET_DEVIATION, "float32"), count])
            layer.finalize_state()
