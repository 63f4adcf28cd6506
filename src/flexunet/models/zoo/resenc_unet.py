"""nnU-Net's residual-encoder U-Net, in two dimensions: a deep residual encoder and a light decoder.

Source: Isensee, F., Wald, T., et al. (2024), "nnU-Net Revisited: A Call for Rigorous Validation in 3D Medical
Image Segmentation", MICCAI 2024, arXiv:2404.09556; blocks He, K., Zhang, X., et al. (2016), "Deep Residual
Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.models.layers.blocks import (
    conv,
    head,
    input_image,
    require_levels,
    require_multiple,
    scale_input,
)
from flexunet.models.layers.group_normalization import GroupNormalization

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Residual blocks of each level, the deeper ones like the last; as nnU-Net plans them.
BLOCKS = (1, 3, 4, 6)
MOST_FILTERS = 512
SLOPE = 0.01


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters` and `num_layers` describe.

    Strided convolutions halve the map, every instance is normalised by itself, and each decoder level has one
    convolution. nnU-Net starts from 32 filters.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    levels = config.model.num_layers
    require_levels(levels, 2, "num_layers", "ResEncUNet")
    require_multiple(config, 2 ** (levels - 1), f"ResEncUNet with {levels} levels", smallest=2**levels)
    widths = [min(config.model.base_filters * 2**level, MOST_FILTERS) for level in range(levels)]

    image = input_image(config)
    features = scale_input(image, config, published=True)
    features = _conv_norm_act(features, widths[0], "stem")
    skips = []
    for level, width in enumerate(widths):
        for number in range(BLOCKS[min(level, len(BLOCKS) - 1)]):
            stride = 2 if level and number == 0 else 1
            features = _residual_block(features, width, stride, f"encoder{level}_block{number}")
        skips.append(features)
    for level in reversed(range(levels - 1)):
        name, width = f"decoder{level}", widths[level]
        features = layers.Conv2DTranspose(width, 2, strides=2, padding="same", name=f"{name}_up")(features)
        features = layers.Concatenate(name=f"{name}_concat")([features, skips[level]])
        features = _conv_norm_act(features, width, name)
    return keras.Model(image, head(features, config), name="resenc_unet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_act" for level in range(1, config.model.num_layers - 1)]


def _instance_norm(features: Any, name: str) -> Any:
    return GroupNormalization(groups=-1, epsilon=1e-5, name=name)(features)


def _activation(features: Any, name: str) -> Any:
    return layers.LeakyReLU(negative_slope=SLOPE, name=name)(features)


def _conv_norm_act(features: Any, filters: int, name: str, stride: int = 1) -> Any:
    features = conv(features, filters, f"{name}_conv", strides=stride)
    return _activation(_instance_norm(features, f"{name}_norm"), f"{name}_act")


def _residual_block(features: Any, filters: int, stride: int, name: str) -> Any:
    main = _conv_norm_act(features, filters, f"{name}_1", stride)
    main = _instance_norm(conv(main, filters, f"{name}_2_conv"), f"{name}_2_norm")
    shortcut = features
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride, name=f"{name}_shortcut_pool")(shortcut)
    if shortcut.shape[-1] != filters:
        shortcut = conv(shortcut, filters, f"{name}_shortcut_conv", 1, use_bias=False)
        shortcut = _instance_norm(shortcut, f"{name}_shortcut_norm")
    return _activation(layers.Add(name=f"{name}_add")([main, shortcut]), f"{name}_out")
