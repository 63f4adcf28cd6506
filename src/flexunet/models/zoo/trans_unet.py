"""TransUNet: a U-Net whose bottleneck is a vision transformer.

Source: Chen, J., Lu, Y., et al. (2021), "TransUNet: Transformers Make Strong Encoders for Medical Image
Segmentation", arXiv:2102.04306.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.errors import ConfigError
from flexunet.models.layers.blocks import (
    conv,
    head,
    input_image,
    norm,
    require_levels,
    require_multiple,
    scale_input,
    upsample,
)
from flexunet.models.layers.patch_layers import PatchEmbedding

if TYPE_CHECKING:
    from flexunet.config.schema import Config

HEADS = 12
UNITS = 3072


def build(config: Config) -> keras.Model:
    """Build the model that `[model] filter_num`, `embed_dim`, `num_transformer` and their like describe.

    The encoder is the published one, of plain convolutions; the paper's is a ResNet.

    Args:
        config: Configuration; sizes must be multiples of 2 to the power of the levels of `filter_num` - 1.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image cannot be halved often enough.
        ConfigError: if a key asks for what this model has not.
    """
    options = config.model
    widths = list(options.filter_num)
    require_levels(len(widths), 2, "filter_num", "TransUNet")
    if options.backbone:
        raise ConfigError(
            f"[model] backbone = '{options.backbone}': TransUNet has its own encoder; leave the key out."
        )
    if isinstance(options.num_heads, list):
        raise ConfigError(
            f"[model] num_heads = {options.num_heads}: TransUNet takes one number for all its blocks."
        )
    levels = len(widths)
    require_multiple(config, 2 ** (levels - 1), f"TransUNet with {levels} levels")

    image = input_image(config)
    features = scale_input(image, config, published=False)
    features = _stack(features, widths[0], options.stack_num_down, config, "transunet_down0")
    skips = [features]
    for level, width in enumerate(widths[1:], start=1):
        name = f"transunet_down{level}"
        features = _halve(features, config, f"{name}_encode")
        features = _stack(features, width, options.stack_num_down, config, f"{name}_conv")
        skips.append(features)

    features = conv(
        skips.pop(), widths[-1], "transunet_conv_trans_before", 1, padding="valid", use_bias=False
    )
    rows, columns = features.shape[1:3]
    features = PatchEmbedding(1, options.embed_dim, name="patch_embedding")(features)
    for number in range(options.num_transformer):
        features = _transformer_block(features, config, f"transunet_ViT_{number}")
    features = layers.Reshape((rows, columns, options.embed_dim), name="transunet_map")(features)
    features = conv(features, widths[-1], "transunet_conv_trans_after", 1, padding="valid", use_bias=False)

    for step, width in enumerate(reversed(widths[:-1])):
        name = f"transunet_up{step}"
        features = _double(features, width, config, f"{name}_decode")
        features = _stack(features, width, 1, config, f"{name}_conv_before_concat")
        features = layers.Concatenate(name=f"{name}_concat")([features, skips.pop()])
        features = _stack(features, width, options.stack_num_up, config, f"{name}_conv_after_concat")
    return keras.Model(image, head(features, config, name="transunet_output"), name="trans_unet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    last = f"conv_after_concat_{config.model.stack_num_up - 1}_activation"
    return [f"transunet_up{step}_{last}" for step in reversed(range(len(config.model.filter_num) - 2))]


def _stack(features: Any, filters: int, count: int, config: Config, name: str) -> Any:
    for number in range(count):
        features = conv(features, filters, f"{name}_{number}", use_bias=not config.model.batch_norm)
        features = _finish(features, config, f"{name}_{number}")
    return features


def _finish(features: Any, config: Config, name: str) -> Any:
    if config.model.batch_norm:
        features = norm(features, f"{name}_bn")
    return layers.Activation(config.model.activation.lower(), name=f"{name}_activation")(features)


def _halve(features: Any, config: Config, name: str) -> Any:
    if config.model.pool:
        return layers.MaxPooling2D(name=f"{name}_maxpool")(features)
    use_bias = not config.model.batch_norm
    filters = features.shape[-1]
    features = conv(
        features, filters, f"{name}_stride_conv", 2, strides=2, padding="valid", use_bias=use_bias
    )
    return _finish(features, config, f"{name}_stride_conv")


def _double(features: Any, filters: int, config: Config, name: str) -> Any:
    if config.model.pool:
        return upsample(features, 2, f"{name}_unpool")
    use_bias = not config.model.batch_norm
    features = layers.Conv2DTranspose(
        filters, 2, strides=2, padding="same", use_bias=use_bias, name=f"{name}_trans_conv"
    )(features)
    return _finish(features, config, f"{name}_trans_conv")


def _transformer_block(tokens: Any, config: Config, name: str) -> Any:
    """Attention and a dense network; the second dense layer is activated too, as published."""
    options = config.model
    attended = layers.LayerNormalization(name=f"{name}_layer_norm_1")(tokens)
    attended = layers.MultiHeadAttention(options.num_heads or HEADS, options.embed_dim, name=f"{name}_atten")(
        attended, attended
    )
    tokens = layers.Add(name=f"{name}_skip_1")([attended, tokens])
    inner = layers.LayerNormalization(name=f"{name}_layer_norm_2")(tokens)
    for number, units in enumerate((options.num_mlp or UNITS, options.embed_dim)):
        inner = layers.Dense(units, name=f"{name}_mlp_dense_{number}")(inner)
        inner = _mlp_activation(inner, options.mlp_activation, f"{name}_mlp_activation_{number}")
    return layers.Add(name=f"{name}_skip_2")([inner, tokens])


def _mlp_activation(features: Any, activation: str, name: str) -> Any:
    return layers.Activation(activation.lower(), name=name)(features)
