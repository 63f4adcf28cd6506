"""UNet 3+: every decoder level sees every scale.

Source: Huang, H., Lin, L., et al. (2020), "UNet 3+: A Full-Scale Connected UNet for Medical Image
Segmentation", ICASSP 2020, arXiv:2004.08790.
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
    require_multiple,
    scale_input,
    upsample,
)

if TYPE_CHECKING:
    from flexunet.config.schema import Config

LEVELS = 5


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters` and `dropout_rate` describe; it has five levels.

    The published class puts one filter before its softmax, so that it answers 1.0 everywhere; this one has
    `num_classes` filters. Its dropout on the logits is left out.

    Args:
        config: Configuration; sizes must be multiples of 16.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved four times.
    """
    require_multiple(config, 2 ** (LEVELS - 1), "UNet 3+")
    base, rate = config.model.base_filters, config.model.dropout_rate

    image = input_image(config)
    features = scale_input(image, config, published=False)
    maps = []
    for level in range(LEVELS):
        if level:
            features = layers.MaxPooling2D(name=f"encoder{level}_pool")(features)
        features = _conv_block(features, base * 2**level, rate, f"encoder{level}_1")
        features = _conv_block(features, base * 2**level, 2 * rate, f"encoder{level}_2")
        maps.append(features)
    # `maps[level]` is the encoder's map until the decoder has made its own.
    for level in reversed(range(LEVELS - 1)):
        scales = [
            _conv_block(_resized(maps[other], other - level, name), base, rate, name)
            for other, name in ((other, f"decoder{level}_from{other}") for other in range(LEVELS))
        ]
        features = layers.Concatenate(name=f"decoder{level}_concat")(scales)
        maps[level] = _conv_block(features, base * LEVELS, rate, f"decoder{level}")
    return keras.Model(image, head(maps[0], config, kernel_size=3), name="unet3plus")


def decoder_maps(_config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_relu" for level in range(1, LEVELS - 1)]


def _conv_block(features: Any, filters: int, dropout_rate: float, name: str) -> Any:
    features = conv(features, filters, f"{name}_conv")
    features = layers.Dropout(min(dropout_rate, 0.9), name=f"{name}_dropout")(features)
    return relu(norm(features, f"{name}_norm"), f"{name}_relu")


def _resized(features: Any, levels_down: int, name: str) -> Any:
    if levels_down < 0:
        return layers.MaxPooling2D(2**-levels_down, name=f"{name}_pool")(features)
    if levels_down > 0:
        return upsample(features, 2**levels_down, f"{name}_up")
    return features
