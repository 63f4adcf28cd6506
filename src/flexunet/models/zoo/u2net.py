"""U2-Net: a U-Net of small U-Nets, with an answer at every scale that are fused into one.

Source: Qin, X., Zhang, Z., et al. (2020), "U2-Net: Going Deeper with Nested U-Structure for Salient Object
Detection", Pattern Recognition 106, 107404, arXiv:2005.09007.
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

# Dilations of the blocks at the bottom, where the map is too small to be halved again.
DILATIONS = (1, 2, 4, 8)


def build(config: Config) -> keras.Model:
    """Build the model that `[model] base_filters` and `num_layers` describe.

    The answers of all scales and their fusion are sigmoids, as in the paper and the published class: one
    probability a class, each by itself. `[model] final_activation = "softmax"` makes them sum to one. The
    paper normalises after each convolution, the published class does not (`[model] variant = "paper"`):
    without, its features grow until every sigmoid is saturated, and small lesions are never learned.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of `num_layers` + 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
    """
    options = config.model
    levels, paper = options.num_layers, options.variant == "paper"
    require_levels(levels, 2, "num_layers", "U2-Net")
    require_multiple(config, 2 ** (levels + 1), f"U2-Net with {levels} levels")
    widths = [options.base_filters * 2**level for level in range(levels)]

    image = input_image(config)
    features = scale_input(image, config, published=False)
    skips = []
    for level, width in enumerate(widths):
        name = f"u2net_down_{level - 1}" if level else "u2net_in"
        if level:
            features = _pool(features, f"u2net_encode_{level - 1}")
        features = _residual_u(features, width, levels + 2 - level, name, paper)
        skips.append(features)
    for step in (0, 1):
        features = _pool(features, f"u2net_encode_4f_{step}")
        features = _dilated_u(features, widths[-1], f"u2net_down_4f_{step}", paper)
        skips.append(features)

    answers = [skips.pop()]
    features = upsample(answers[0], 2, "u2net_decode_4f_0_unpool")
    features = layers.Concatenate(name="u2net_concat_4f_0")([features, skips.pop()])
    features = _dilated_u(features, widths[-1], "u2net_up_4f_0", paper)
    answers.append(features)
    for step, width in enumerate(reversed(widths)):
        features = upsample(features, 2, f"u2net_decode_{step}_unpool")
        features = layers.Concatenate(name=f"u2net_concat_{step}")([features, skips.pop()])
        features = _residual_u(features, width, 3 + step, f"u2net_up_{step}", paper)
        answers.append(features)
    return keras.Model(image, _fuse(answers[::-1], config), name="u2net")


def _pool(features: Any, name: str) -> Any:
    return layers.MaxPooling2D(name=f"{name}_maxpool")(features)


def _conv(features: Any, filters: int, name: str, paper: bool, dilation: int = 1) -> Any:
    """Convolution and ReLU; normalisation between them in the paper. Initial weights as published."""
    features = conv(
        features, filters, f"{name}_0", dilation_rate=dilation, kernel_initializer="glorot_uniform"
    )
    if paper:
        features = norm(features, f"{name}_0_bn")
    return relu(features, f"{name}_0_activation")


def _residual_u(features: Any, filters: int, depth: int, name: str, paper: bool) -> Any:
    """A small U-Net of `depth` levels with a quarter of the filters inside (RSU)."""
    inner = max(filters // 4, 1)
    entry = features = _conv(features, filters, f"{name}_in", paper)
    maps = []
    for level in range(depth):
        if level:
            features = _pool(features, f"{name}_encode_{level - 1}")
        features = _conv(features, inner, f"{name}_down_{level}", paper)
        maps.append(features)
    features = _conv(features, inner, f"{name}_up_0", paper, dilation=2)
    features = layers.Concatenate(name=f"{name}_concat_0")([features, maps.pop()])
    for step in range(1, depth):
        features = _conv(features, inner, f"{name}_up_{step}", paper)
        features = upsample(features, 2, f"{name}_decode_{step - 1}_unpool")
        concat = f"{name}_concat_{step}" if step < depth - 1 else f"{name}_concat_out"
        features = layers.Concatenate(name=concat)([features, maps.pop()])
    return layers.Add(name=f"{name}_out_add")([_conv(features, filters, f"{name}_out", paper), entry])


def _dilated_u(features: Any, filters: int, name: str, paper: bool) -> Any:
    """The same without halving: dilated convolutions see farther instead (RSU-4F)."""
    inner = max(filters // 2, 1)
    entry = features = _conv(features, filters, f"{name}_in", paper)
    maps = []
    for level, dilation in enumerate(DILATIONS):
        features = _conv(features, inner, f"{name}_down_{level}", paper, dilation)
        maps.append(features)
    maps.pop()
    for step, dilation in enumerate(reversed(DILATIONS[1:-1])):
        features = layers.Concatenate(name=f"{name}_concat_{step}")([features, maps.pop()])
        features = _conv(features, inner, f"{name}_up_{step}", paper, dilation)
    features = layers.Concatenate(name=f"{name}_concat_out")([features, maps.pop()])
    return layers.Add(name=f"{name}_out_add")([_conv(features, filters, f"{name}_out", paper), entry])


def _fuse(answers: list[Any], config: Config) -> Any:
    """One answer from those of all scales, finest first."""
    classes = config.model.num_classes
    # The deeper answers first, as the published class orders its weights.
    sides = [
        conv(answer, classes, f"u2net_output_conv_{scale}", kernel_initializer="glorot_uniform")
        for scale, answer in enumerate(answers[1:], start=1)
    ]
    sides = [
        upsample(side, 2**scale, f"u2net_sup{scale}_unpool") for scale, side in enumerate(sides, start=1)
    ]
    finest = conv(answers[0], classes, "u2net_output_sup0", kernel_initializer="glorot_uniform")
    probabilities = [
        layers.Activation("sigmoid", name=f"u2net_output_sup{scale}_activation")(answer)
        for scale, answer in enumerate([finest, *sides])
    ]
    fused = layers.Concatenate(name="u2net_output_concat")(probabilities)
    return head(fused, config, name="u2net_output_final", activation=config.model.final_activation)
