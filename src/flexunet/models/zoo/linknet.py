"""LinkNet: a light network whose decoder adds what the encoder saw, instead of concatenating it.

Source: Chaurasia, A. and Culurciello, E. (2017), "LinkNet: Exploiting Encoder Representations for Efficient
Semantic Segmentation", VCIP 2017, arXiv:1707.03718; residual blocks He, K., Zhang, X., et al. (2016), CVPR.
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

# A decoder level works on a quarter of its channels.
REDUCTION = 4


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters` and `num_layers` describe; the paper has 64 and 4.

    The first level keeps the size of the image, where the paper halves it twice, so that small lesions keep
    their pixels.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    levels = config.model.num_layers
    require_levels(levels, 2, "num_layers", "LinkNet")
    require_multiple(config, 2 ** (levels - 1), f"LinkNet with {levels} levels")
    widths = [config.model.base_filters * 2**level for level in range(levels)]

    image = input_image(config)
    features = scale_input(image, config, published=True)
    features = _conv_norm_relu(features, widths[0], "stem")
    links = []
    for level, width in enumerate(widths):
        features = _residual_block(features, width, 2 if level else 1, f"encoder{level}")
        links.append(features)
    for level in reversed(range(levels - 1)):
        features = _decoder_block(features, widths[level], f"decoder{level}")
        features = layers.Add(name=f"link{level}")([features, links[level]])
    return keras.Model(image, head(features, config), name="linknet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"link{level}" for level in range(1, config.model.num_layers - 1)]


def _conv_norm_relu(features: Any, filters: int, name: str, kernel: int = 3, stride: int = 1) -> Any:
    features = conv(features, filters, f"{name}_conv", kernel, strides=stride, use_bias=False)
    return relu(norm(features, f"{name}_norm"), f"{name}_relu")


def _residual_block(features: Any, filters: int, stride: int, name: str) -> Any:
    main = _conv_norm_relu(features, filters, f"{name}_1", stride=stride)
    main = norm(conv(main, filters, f"{name}_2_conv", use_bias=False), f"{name}_2_norm")
    shortcut = features
    if stride > 1 or features.shape[-1] != filters:
        shortcut = conv(features, filters, f"{name}_shortcut_conv", 1, strides=stride, use_bias=False)
        shortcut = norm(shortcut, f"{name}_shortcut_norm")
    return relu(layers.Add(name=f"{name}_add")([main, shortcut]), f"{name}_relu")


def _decoder_block(features: Any, filters: int, name: str) -> Any:
    """Fewer channels, twice the size, the channels of the level above."""
    inner = max(1, features.shape[-1] // REDUCTION)
    features = _conv_norm_relu(features, inner, f"{name}_reduce", kernel=1)
    features = layers.Conv2DTranspose(inner, 3, strides=2, padding="same", use_bias=False, name=f"{name}_up")(
        features
    )
    features = relu(norm(features, f"{name}_up_norm"), f"{name}_up_relu")
    return _conv_norm_relu(features, filters, f"{name}_expand", kernel=1)
