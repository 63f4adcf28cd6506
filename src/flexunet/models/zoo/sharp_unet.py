"""Sharp U-Net: a fixed sharpening filter on each skip connection.

Source: Zunair, H. and Ben Hamza, A. (2021), "Sharp U-Net: Depthwise convolutional network for biomedical
image segmentation", Computers in Biology and Medicine 136, 104699.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from flexunet.models.layers.blocks import (
    conv,
    head,
    input_image,
    require_levels,
    require_multiple,
    scale_input,
)

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# The paper's kernel: what a pixel has over its eight neighbours.
SHARPENING = ((-1.0, -1.0, -1.0), (-1.0, 8.0, -1.0), (-1.0, -1.0, -1.0))


def build(config: Config) -> keras.Model:
    """Build the model that `[model] filters`, `max_filter`, `base_ksize` and `dilation` describe.

    The published class computes two convolutions at each decoder level and then drops all but the last
    level's; `[model] variant = "paper"` keeps them.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of the number of `filters`.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    options = config.model
    require_levels(len(options.filters), 1, "filters", "Sharp U-Net")
    require_multiple(config, 2 ** len(options.filters), f"Sharp U-Net with {len(options.filters)} filters")

    image = input_image(config)
    features = scale_input(image, config, published=False)
    skips = []
    for level, filters in enumerate(options.filters):
        features = _double_conv(features, filters, config, f"encoder{level}")
        skips.append(features)
        features = layers.MaxPooling2D(name=f"encoder{level}_pool")(features)
    features = _double_conv(features, options.max_filter, config, "bottleneck")
    for level, filters in reversed(list(enumerate(options.filters))):
        features = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=f"decoder{level}_up")(
            features
        )
        sharpened = _sharpen(skips[level], f"decoder{level}_sharpen")
        features = layers.Concatenate(name=f"decoder{level}_concat")([features, sharpened])
        if level == 0 or options.variant == "paper":
            features = _double_conv(features, filters, config, f"decoder{level}")
    return keras.Model(image, head(features, config), name="sharp_unet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first; as published these have none."""
    if config.model.variant != "paper":
        return []
    return [f"decoder{level}_conv2" for level in range(1, len(config.model.filters))]


def _double_conv(features: Any, filters: int, config: Config, name: str) -> Any:
    for number in (1, 2):
        features = conv(
            features,
            filters,
            f"{name}_conv{number}",
            config.model.base_ksize,
            dilation_rate=config.model.dilation,
            activation="relu",
        )
    return features


def _sharpen(skip: Any, name: str) -> Any:
    layer = layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, depthwise_initializer="zeros", name=name
    )
    sharpened = layer(skip)
    kernel = np.asarray(SHARPENING, dtype="float32")[:, :, None, None]
    layer.set_weights([np.repeat(kernel, skip.shape[-1], axis=2)])
    layer.trainable = False
    return sharpened


def keys_in_shapes(convolutions: list[tuple[int, ...]], transposed: list[tuple[int, ...]]) -> dict[str, Any]:
    """The keys that kernels in a weights file show: two a level, and one level more than steps up."""
    widths = [shape[-1] for shape in convolutions[: 2 * len(transposed) + 2 : 2]]
    return {"filters": widths[:-1], "max_filter": widths[-1], "base_ksize": convolutions[0][:2]}
