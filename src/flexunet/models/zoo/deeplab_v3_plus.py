"""DeepLabV3+: a ResNet that looks at several distances at once, and a short decoder.

Source: Chen, L.-C., Zhu, Y., et al. (2018), "Encoder-Decoder with Atrous Separable Convolution for Semantic
Image Segmentation", ECCV 2018, arXiv:1802.02611; backbone He, K., Zhang, X., et al. (2016), "Deep Residual
Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.models.layers.backbones import encode
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

BACKBONE = "ResNet50"
STRIDE = 16
DILATIONS = (6, 12, 18)


def build(config: Config) -> keras.Model:
    """Build the model; its backbone is the first four stages of ResNet50.

    The published class uses plain convolutions where the paper's are separable, and so does this one.

    Args:
        config: Configuration; sizes must be multiples of 16, at least 32.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image does not fit.
    """
    require_multiple(config, STRIDE, "DeepLabV3+", smallest=2 * STRIDE)
    image = input_image(config)
    maps = encode(scale_input(image, config, published=False), BACKBONE, config)
    features = _pyramid(maps["conv4_block6_2_relu"])
    features = upsample(features, 4, "decoder_up1")
    detail = _block(maps["conv2_block3_2_relu"], 48, "decoder_detail", kernel_size=1)
    features = layers.Concatenate(name="decoder_concat")([features, detail])
    for number in (1, 2):
        features = _block(features, 256, f"decoder{number}", activation="relu")
    features = upsample(features, 4, "decoder_up2")
    return keras.Model(image, head(features, config), name="deeplab_v3_plus")


def _block(features: Any, filters: int, name: str, kernel_size: int = 3, **options: Any) -> Any:
    options = {"use_bias": False, **options}
    return relu(
        norm(conv(features, filters, f"{name}_conv", kernel_size, **options), f"{name}_norm"), f"{name}_relu"
    )


def _pyramid(features: Any) -> Any:
    """Look at the whole image, at each place, and at three distances around it (atrous spatial pyramid)."""
    rows, columns = features.shape[1:3]
    whole = layers.AveragePooling2D((rows, columns), name="pyramid_mean")(features)
    whole = _block(whole, 256, "pyramid_whole", kernel_size=1, use_bias=True)
    # Enlarging a single pixel repeats it, whatever the interpolation.
    whole = layers.UpSampling2D((rows, columns), name="pyramid_whole_up")(whole)
    looks = [whole, _block(features, 256, "pyramid_place", kernel_size=1)]
    looks += [_block(features, 256, f"pyramid_around{d}", dilation_rate=d) for d in DILATIONS]
    merged = layers.Concatenate(name="pyramid_concat")(looks)
    return _block(merged, 256, "pyramid", kernel_size=1)
