"""MultiResUNet: blocks that see three scales at once, and skip connections that are convolved on the way.

Source: Ibtehaz, N. and Rahman, M. S. (2020), "MultiResUNet: Rethinking the U-Net architecture for multimodal
biomedical image segmentation", Neural Networks 121, 74-87.
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

# A block of U filters has 1.67 U in all, a sixth, a third and a half of them in its three convolutions.
WIDENING = 1.67
SHARES = (0.167, 0.333, 0.5)


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters` and `num_layers` describe.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    options = config.model
    levels = options.num_layers
    require_levels(levels, 2, "num_layers", "MultiResUNet")
    require_levels(
        int(options.base_filters * WIDENING * SHARES[0]) and levels, 2, "base_filters", "MultiResUNet"
    )
    require_multiple(config, 2 ** (levels - 1), f"MultiResUNet with {levels} levels")

    image = input_image(config)
    features = scale_input(image, config, published=True)
    skips = []
    for level in range(levels):
        filters = options.base_filters * 2**level
        features = _multires_block(features, filters, f"encoder{level}")
        if level < levels - 1:
            skips.append(_residual_path(features, filters, levels - level, f"skip{level}"))
            features = layers.MaxPooling2D(name=f"encoder{level}_pool")(features)
    for level in reversed(range(levels - 1)):
        filters = options.base_filters * 2**level
        features = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=f"decoder{level}_up")(
            features
        )
        features = layers.Concatenate(name=f"decoder{level}_concat")([features, skips[level]])
        features = _multires_block(features, filters, f"decoder{level}")
    return keras.Model(image, head(features, config), name="multires_unet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    return [f"decoder{level}_norm" for level in range(1, config.model.num_layers - 1)]


def _conv_norm(features: Any, filters: int, kernel_size: int, name: str) -> Any:
    return norm(conv(features, filters, f"{name}_conv", kernel_size, use_bias=False), f"{name}_norm")


def _multires_block(features: Any, filters: int, name: str) -> Any:
    widths = [int(filters * WIDENING * share) for share in SHARES]
    parts = []
    part = features
    for scale, width in enumerate(widths, start=1):
        part = relu(_conv_norm(part, width, 3, f"{name}_scale{scale}"), f"{name}_scale{scale}_relu")
        parts.append(part)
    merged = norm(layers.Concatenate(name=f"{name}_merge")(parts), f"{name}_merge_norm")
    shortcut = _conv_norm(features, sum(widths), 1, f"{name}_shortcut")
    merged = relu(layers.Add(name=f"{name}_add")([merged, shortcut]), f"{name}_relu")
    return norm(merged, f"{name}_norm")


def _residual_path(features: Any, filters: int, length: int, name: str) -> Any:
    for step in range(length):
        main = _conv_norm(features, filters, 3, f"{name}_step{step}")
        shortcut = _conv_norm(features, filters, 1, f"{name}_step{step}_shortcut")
        features = relu(
            layers.Add(name=f"{name}_step{step}_add")([main, shortcut]), f"{name}_step{step}_relu"
        )
        features = norm(features, f"{name}_step{step}_out")
    return features


def keys_in_shapes(_convolutions: list[tuple[int, ...]], transposed: list[tuple[int, ...]]) -> dict[str, Any]:
    """The keys that kernels in a weights file show: the last step up alone has all filters of its level."""
    return {"base_filters": transposed[-1][2]} if transposed else {}
