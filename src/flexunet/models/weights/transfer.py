"""Starting from weights that exist: of a run, of a file, or pretrained ones of a backbone; and freezing.

    notes = apply_initial_weights(model, config)     # after building, before compiling

reads `[model] initial_weights`, `weights` and `freeze_encoder_levels`, and says what it did.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras

from flexunet.config.files import initial_weights_file
from flexunet.errors import ConfigError, WeightsError
from flexunet.models.registry import build_model
from flexunet.models.weights.backbone import load_backbone_weights
from flexunet.models.weights.encoder_levels import encoder_levels
from flexunet.models.weights.file import open_weights
from flexunet.models.weights.load import load_weights

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def apply_initial_weights(model: keras.Model, config: Config) -> list[str]:
    """Fill a new model with the weights that the configuration starts from, and freeze what it says.

    Args:
        model: A built model, not yet compiled; changed in place.
        config: Configuration; `[model] initial_weights`, `weights` and `freeze_encoder_levels` are read.

    Returns:
        What was done, one sentence each; empty where the configuration asks for none of it.

    Raises:
        ConfigError: if levels are to be frozen that hold random weights, or that the model has not.
        PathError: if a file is missing.
        WeightsError: if the weights do not fit the model.
    """
    options = config.model
    notes = []
    if options.weights:
        notes.append(load_backbone_weights(model, config))
    if options.initial_weights:
        notes += load_initial_weights(model, config)
    if options.freeze_encoder_levels:
        if not (options.weights or options.initial_weights):
            raise ConfigError(
                f"[model] freeze_encoder_levels = {options.freeze_encoder_levels} would freeze random "
                "weights: set [model] initial_weights to a run or a weights file, or leave the key out."
            )
        notes.append(freeze_encoder_levels(model, options.freeze_encoder_levels))
    return notes


def load_initial_weights(model: keras.Model, config: Config) -> list[str]:
    """Fill a model with the weights of `[model] initial_weights`, a run folder or a weights file.

    Layers with one channel a class keep the weights they have where the file has another number of classes.

    Returns:
        What was taken and what was not.

    Raises:
        PathError: if there is nothing at the path.
        WeightsError: if the file does not fit in anything but its classes.
    """
    path = initial_weights_file(config)
    total = model.count_params()
    try:
        load_weights(model, path)
    except WeightsError:
        classes = classes_in(path)
        if classes in (None, config.model.num_classes):
            raise
        fresh = _load_all_but_heads(model, config, path, classes)
    else:
        return [f"[model] initial_weights: all {total:,} parameters taken from {path}."]
    names = ", ".join(layer.name for layer in fresh)
    left = sum(layer.count_params() for layer in fresh)
    return [
        f"[model] initial_weights: {total - left:,} of {total:,} parameters taken from {path}.",
        f"num_classes is {config.model.num_classes} here and {classes} in {path.name}: "
        f"{names} could not be taken over, and starts from fresh random weights.",
    ]


def classes_in(path: Path) -> int | None:
    """Channels that the model in a weights file answers; none where its last layer cannot be told."""
    with open_weights(path) as stored:
        layers = (
            stored.layers if stored.is_ordered else [one for one in stored.layers if one.kind == "conv2d"]
        )
        return layers[-1].shapes[0][-1] if layers else None


def _load_all_but_heads(model: keras.Model, config: Config, path: Path, classes: int) -> list[keras.Layer]:
    """Load a model of another number of classes, and copy what does not depend on them.

    Returns:
        The layers that were left as they are.
    """
    twin_config = config.model_copy(deep=True)
    twin_config.model.num_classes = classes
    twin = build_model(twin_config, policy="float32")
    load_weights(twin, path)
    fresh = []
    for layer, source in zip(model.layers, twin.layers, strict=True):
        arrays = source.get_weights()
        if [weight.shape for weight in layer.weights] == [array.shape for array in arrays]:
            layer.set_weights(arrays)
        else:
            fresh.append(layer)
    return fresh


def freeze_encoder_levels(model: keras.Model, count: int) -> str:
    """Keep the weights of the first levels of the encoder as they are; their normalisation too.

    Args:
        model: The model; changed in place.
        count: Levels, counted from the input.

    Returns:
        What was frozen.

    Raises:
        ConfigError: if the encoder has no more levels than that.
    """
    levels = encoder_levels(model)
    deepest = max(levels, default=-1)
    if count > deepest + 1:
        raise ConfigError(
            f"[model] freeze_encoder_levels = {count}: {model.name} has the encoder levels 0 to {deepest}; "
            f"freeze {deepest + 1} or fewer."
        )
    frozen = [layer for level in range(count) for layer in levels.get(level, [])]
    for layer in frozen:
        layer.trainable = False
    parameters = sum(layer.count_params() for layer in frozen)
    return (
        f"[model] freeze_encoder_levels = {count}: {len(frozen)} layers frozen, {parameters:,} of "
        f"{model.count_params():,} parameters."
    )
