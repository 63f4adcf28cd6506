"""Pretrained weights of a backbone: from a local file, or from where Keras publishes them if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from flexunet.config.architectures import find_architecture
from flexunet.errors import ConfigError
from flexunet.models.layers.backbones import backbone_class
from flexunet.models.registry import module_of
from flexunet.models.weights.load import load_weights

if TYPE_CHECKING:
    from flexunet.config.schema import Config

FETCHED = "imagenet"
# Standard deviation of ImageNet's colours, as keras.applications has it.
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def load_backbone_weights(model: keras.Model, config: Config) -> str:
    """Fill the backbone of a model with pretrained weights, and leave the rest of the model alone.

    Args:
        model: A model whose architecture has a backbone; changed in place.
        config: Configuration; `[model] weights` is a file of keras.applications without the top
            (`..._notop.h5`), or "imagenet" to fetch that file.

    Returns:
        What was loaded.

    Raises:
        ConfigError: if the model has no backbone.
        PathError: if there is no such file.
        WeightsError: if the file does not fit the backbone.
    """
    name = backbone_of(config)
    if name is None:
        raise ConfigError(
            f"[model] weights = '{config.model.weights}': {config.model.model} has no backbone to fill. "
            "Take the key out, or set [model] initial_weights for a whole model's weights."
        )
    asked = str(config.model.weights)
    if asked == FETCHED:
        source = backbone_class(name)(include_top=False, weights=FETCHED)
    else:
        source = backbone_class(name)(include_top=False, weights=None, input_shape=(None, None, 3))
        load_weights(source, config.resolve(asked))
    by_name = {layer.name: layer for layer in source.layers if layer.weights}
    count = 0
    for layer in model.layers:
        if layer.weights and layer.name in by_name:
            layer.set_weights(by_name[layer.name].get_weights())
            count += layer.count_params()
        elif isinstance(layer, layers.Normalization):
            _set_normalization(
                layer, next(one for one in source.layers if isinstance(one, layers.Normalization))
            )
    return f"[model] weights: {count:,} parameters of {name} taken from {asked}."


def backbone_of(config: Config) -> str | None:
    """The backbone of the configured model; none where it has none."""
    name = getattr(module_of(find_architecture(config.model.model)), "BACKBONE", None)
    return name(config) if callable(name) else name


def _set_normalization(layer: Any, source: Any) -> None:
    """Take over the mean and variance of ImageNet, and the scaling that Keras adds for pretrained weights.

    keras.applications divides by the root of the deviation once more, in a layer of its own that it adds for
    pretrained weights alone; here it is part of the variance.
    """
    mean, variance, count = source.get_weights()
    deviation = np.asarray(IMAGENET_DEVIATION, "float32")
    layer.set_weights([mean, variance * deviation, count])
    layer.finalize_state()
