"""Attention U-Net: a U-Net whose skip connections are weighted by what the decoder looks for.

Source: Oktay, O., Schlemper, J., et al. (2018), "Attention U-Net: Learning Where to Look for the Pancreas",
arXiv:1804.03999.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.models.layers.blocks import (
    conv,
    head,
    input_image,
    norm,
    relu,
    require_levels,
    require_multiple,
    scale_input,
    upsample,
)

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters`, `num_layers` and `dropout_rate` describe.

    The published gate gives one weight a pixel and a channel; the paper's gives one weight a pixel
    (`[model] variant = "paper"`).

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    options = config.model
    require_levels(options.num_layers, 2, "num_layers", "Attention U-Net")
    require_multiple(
        config, 2 ** (options.num_layers - 1), f"Attention U-Net with {options.num_layers} levels"
    )

    image = input_image(config)
    features = scale_input(image, config, published=False)
    skips = []
    for level in range(options.num_layers):
        if level:
            features = layers.MaxPooling2D(name=f"encoder{level}_pool")(features)
        filters = options.base_filters * 2**level
        features = _double_conv(features, filters, options.dropout_rate, f"encoder{level}")
        skips.append(features)
    for level in reversed(range(options.num_layers - 1)):
        filters = options.base_filters * 2**level
        features = upsample(features, 2, f"decoder{level}_up")
        gated = _gate(features, skips[level], filters, config, f"decoder{level}_gate")
        features = layers.Concatenate(name=f"decoder{level}_concat")([features, gated])
        features = _double_conv(features, filters, options.dropout_rate, f"decoder{level}")
    return keras.Model(image, head(features, config), name="attention_unet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_relu2" for level in range(1, config.model.num_layers - 1)]


def _double_conv(features: Any, filters: int, dropout_rate: float, name: str) -> Any:
    features = conv(features, filters, f"{name}_conv1")
    features = relu(norm(features, f"{name}_norm1"), f"{name}_relu1")
    features = conv(features, filters, f"{name}_conv2")
    features = layers.Dropout(dropout_rate, name=f"{name}_dropout")(features)
    return relu(norm(features, f"{name}_norm2"), f"{name}_relu2")


def _gate(signal: Any, skip: Any, filters: int, config: Config, name: str) -> Any:
    wanted = norm(conv(signal, filters, f"{name}_signal", 1), f"{name}_signal_norm")
    offered = conv(skip, filters, f"{name}_skip", 1)
    offered = layers.Dropout(config.model.dropout_rate, name=f"{name}_dropout")(offered)
    offered = norm(offered, f"{name}_skip_norm")
    agreement = relu(layers.Add(name=f"{name}_add")([wanted, offered]), f"{name}_relu")
    weights_a_pixel = 1 if config.model.variant == "paper" else filters
    weight = conv(agreement, weights_a_pixel, f"{name}_weight", 1, kernel_initializer="glorot_uniform")
    weight = layers.Activation("sigmoid", name=f"{name}_sigmoid")(weight)
    return layers.Multiply(name=f"{name}_multiply")([weight, skip])
