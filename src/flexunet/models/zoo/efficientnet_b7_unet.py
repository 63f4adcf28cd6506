"""EfficientNetB7 U-Net: the largest EfficientNet as the encoder of a plain U-Net.

Source: Tan, M. and Le, Q. V. (2019), "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019, arXiv:1905.11946; decoder Ronneberger, O., Fischer, P. and Brox, T. (2015), "U-Net:
Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, arXiv:1505.04597.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.models.layers.backbones import encode
from flexunet.models.layers.blocks import conv, head, input_image, norm, relu, require_multiple, scale_input

if TYPE_CHECKING:
    from flexunet.config.schema import Config

BACKBONE = "EfficientNetB7"
STRIDE = 32
BOTTOM = "block7a_activation"
SKIPS = ("block4a_activation", "block3a_activation", "block2a_activation", "block1a_activation")
FILTERS = (512, 256, 128, 64, 32)


def build(config: Config) -> keras.Model:
    """Build the model; no key changes its architecture.

    The backbone divides by 255 itself; `input_normalize` concerns the image that the last skip connection
    carries. The published class has one output channel whatever the classes; this one has `num_classes`.

    Args:
        config: Configuration; sizes must be multiples of 32.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved five times.
    """
    require_multiple(config, STRIDE, "EfficientNetB7UNet")
    image = input_image(config)
    maps = encode(image, BACKBONE, config, frozen_as_published=True)
    skips = [*(maps[name] for name in SKIPS), scale_input(image, config, published=False)]
    features = maps[BOTTOM]
    for step, (skip, filters) in enumerate(zip(skips, FILTERS, strict=True)):
        name = f"decoder{len(skips) - 1 - step}"
        features = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=f"{name}_up")(features)
        features = layers.Concatenate(name=f"{name}_concat")([features, skip])
        features = _double_conv(features, filters, name)
    return keras.Model(image, head(features, config), name="efficientnet_b7_unet")


def decoder_maps(_config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_relu2" for level in range(1, len(SKIPS) + 1)]


def _double_conv(features: Any, filters: int, name: str) -> Any:
    for number in (1, 2):
        features = conv(features, filters, f"{name}_conv{number}")
        features = relu(norm(features, f"{name}_norm{number}"), f"{name}_relu{number}")
    return features
