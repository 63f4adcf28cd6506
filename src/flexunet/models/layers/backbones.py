"""Encoders from keras.applications, and the pretrained weights that they may start from.

The graph is always built with random weights; backbone_weights.py fills it in afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.errors import ConfigError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

BACKBONES = ("ResNet50", *(f"EfficientNetB{size}" for size in range(8)))


def backbone_class(name: str) -> Any:
    """The function of keras.applications that builds a backbone.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in BACKBONES:
        raise ConfigError(f"no backbone is called '{name}': there are {', '.join(BACKBONES)}.")
    return getattr(keras.applications, name)


def encode(image: Any, name: str, config: Config, *, frozen_as_published: bool = False) -> dict[str, Any]:
    """Run a backbone on the image.

    Args:
        image: Images of 0..255, one channel or three.
        name: Name in keras.applications.
        config: Configuration; one channel is repeated three times where pretrained weights expect three.
        frozen_as_published: Whether the published class keeps pretrained weights as they are; random ones
            are always trained.

    Returns:
        The output of each of its layers, by the layer's name.
    """
    if config.model.weights and image.shape[-1] == 1:
        image = layers.Concatenate(name="grey_to_colour")([image, image, image])
    backbone = backbone_class(name)(include_top=False, weights=None, input_tensor=image)
    if config.model.weights:
        wanted = config.model.freeze_backbone
        frozen = frozen_as_published if wanted is None else wanted
        for layer in backbone.layers:
            is_norm = isinstance(layer, layers.BatchNormalization)
            layer.trainable = not (frozen or (is_norm and config.model.freeze_batch_norm))
    return {layer.name: layer.output for layer in backbone.layers}
