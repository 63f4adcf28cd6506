"""UNet++: the levels of a U-Net joined by a triangle of small decoders, dense along each level.

Source: Zhou, Z., Siddiquee, M. M. R., et al. (2018), "UNet++: A Nested U-Net Architecture for Medical Image
Segmentation", DLMIA 2018, arXiv:1807.10165.
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
)

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters`, `num_layers` and `dropout_rate` describe.

    Node (i, j) stands at level i and sees the j nodes before it on its level, and node (i + 1, j - 1)
    enlarged. The answer is that of node (0, num_layers - 1).

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    options = config.model
    levels, rate = options.num_layers, options.dropout_rate
    require_levels(levels, 2, "num_layers", "UNet++")
    require_multiple(config, 2 ** (levels - 1), f"UNet++ with {levels} levels")

    image = input_image(config)
    features = scale_input(image, config, published=True)
    rows: list[list[Any]] = []
    for level in range(levels):
        if level:
            features = layers.MaxPooling2D(name=f"encoder{level}_pool")(rows[level - 1][0])
        rows.append([_double_conv(features, options.base_filters * 2**level, rate, f"encoder{level}")])
    for column in range(1, levels):
        for level in range(levels - column):
            name, filters = f"node{level}_{column}", options.base_filters * 2**level
            deeper = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=f"{name}_up")(
                rows[level + 1][column - 1]
            )
            features = layers.Concatenate(name=f"{name}_concat")([*rows[level], deeper])
            rows[level].append(_double_conv(features, filters, rate, name))
    return keras.Model(image, head(rows[0][-1], config), name="unetplusplus")


def decoder_maps(config: Config) -> list[str]:
    """The last layers of the shorter decoders, at the image's own size as in the paper, deepest first."""
    return [f"node0_{column}_dropout" for column in reversed(range(1, config.model.num_layers - 1))]


def _double_conv(features: Any, filters: int, dropout_rate: float, name: str) -> Any:
    for number in (1, 2):
        features = conv(features, filters, f"{name}_conv{number}", use_bias=False)
        features = relu(norm(features, f"{name}_norm{number}"), f"{name}_relu{number}")
    return layers.Dropout(dropout_rate, name=f"{name}_dropout")(features)
