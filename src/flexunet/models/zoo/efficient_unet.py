"""EfficientUNet: an EfficientNet of any size as the encoder of a U-Net with residual blocks.

Source: Baheti, B., Innani, S., et al. (2020), "Eff-UNet: A Novel Architecture for Semantic Segmentation in
Unstructured Environment", CVPR Workshops 2020; backbone Tan, M. and Le, Q. V. (2019), "EfficientNet:
Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, arXiv:1905.11946.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.errors import ConfigError
from flexunet.models.layers.backbones import encode
from flexunet.models.layers.blocks import conv, head, input_image, norm, relu, require_multiple, scale_input

if TYPE_CHECKING:
    from flexunet.config.schema import Config

SIZES = tuple(f"B{number}" for number in range(8))
STRIDE = 32
BOTTOM = "block7a_project_bn"
SKIPS = ("block5c_drop", "block3b_drop", "block2b_drop", "block1a_project_bn")


def build(config: Config) -> keras.Model:
    """Build the model on the EfficientNet that `[model] efficientnet` names, B0 to B7.

    The backbone divides by 255 itself; `input_normalize` concerns the image that the last skip connection
    carries. The published class has one sigmoid channel for two classes; this one has two of softmax.

    Args:
        config: Configuration; sizes must be multiples of 32.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved five times.
        ConfigError: if there is no such size.
    """
    require_multiple(config, STRIDE, "EfficientUNet")
    image = input_image(config)
    maps = encode(image, BACKBONE(config), config)
    skips = [*(maps[name] for name in SKIPS), scale_input(image, config, published=False)]
    features = _residual_block(maps[BOTTOM], maps[BOTTOM].shape[-1], "bottleneck")
    for step, skip in enumerate(skips):
        name = f"decoder{len(skips) - 1 - step}"
        features = layers.UpSampling2D(name=f"{name}_up")(features)
        features = layers.Concatenate(name=f"{name}_concat")([features, skip])
        filters = skip.shape[-1] if step < len(SKIPS) else skips[-2].shape[-1]
        features = _residual_block(features, filters, name)
    return keras.Model(image, head(features, config), name="efficient_unet")


def decoder_maps(_config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_add" for level in range(1, len(SKIPS) + 1)]


def _backbone(config: Config) -> str:
    size = config.model.efficientnet.upper()
    if size not in SIZES:
        raise ConfigError(
            f"[model] efficientnet = '{config.model.efficientnet}': there are {', '.join(SIZES)}."
        )
    return f"EfficientNet{size}"


BACKBONE = _backbone


def _residual_block(features: Any, filters: int, name: str) -> Any:
    main = features
    for number in (1, 2):
        main = conv(main, filters, f"{name}_conv{number}")
        main = relu(norm(main, f"{name}_norm{number}"), f"{name}_relu{number}")
    shortcut = conv(features, filters, f"{name}_shortcut", 1)
    return layers.Add(name=f"{name}_add")([main, shortcut])
