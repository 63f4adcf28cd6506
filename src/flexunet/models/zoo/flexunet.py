"""FlexUNet: a U-Net whose depth, width, kernels, dilation and dropout come from the configuration.

level      0              1                  ...   num_layers - 1 (the bottleneck)
filters    base_filters   2 * base_filters   ...   doubled per level, up to max_filters
kernel     base_kernels   2 smaller          ...   down to 3
dilation   dilation       1 smaller          ...   down to 1
dropout    0              dropout_rate       ...   dropout_rate times the level

Layers bear the published names (`conv2d`, `conv2d_1`, ...), so a summary reads as the published one does.

Source: Ronneberger, O., Fischer, P. and Brox, T. (2015), U-Net: Convolutional Networks for Biomedical Image
Segmentation, MICCAI, LNCS 9351, 234-241; as varied by TensorFlow-FlexUNet. Group normalisation: Wu, Y. and
He, K. (2018), ECCV; instance normalisation: Ulyanov, D., Vedaldi, A. and Lempitsky, V. (2016),
arXiv:1607.08022. Both come before the activation; batch normalisation comes after it, as published.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.config.checks import check_image_size
from flexunet.models.layers.activations import find_activation
from flexunet.models.layers.batch_normalization import BatchNormalization
from flexunet.models.layers.group_normalization import GroupNormalization, groups_of

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_SMALLEST_KERNEL = 3


@dataclass(frozen=True)
class Level:
    """What the two convolutions of one level have in common."""

    filters: int
    kernel: tuple[int, int]
    dilation: tuple[int, int]
    dropout: float


def plan_levels(config: Config) -> list[Level]:
    """The levels from the input to the bottleneck; the decoder takes them in reverse, without the last."""
    model = config.model
    levels = []
    kernel, dilation = tuple(model.base_kernels), tuple(model.dilation)
    for depth in range(model.num_layers):
        filters = model.base_filters * 2**depth
        levels.append(
            Level(
                filters=min(filters, model.max_filters or filters),
                kernel=(kernel[0], kernel[1]),
                dilation=(dilation[0], dilation[1]),
                dropout=model.dropout_rate * depth,
            )
        )
        kernel = tuple(max(size - 2, _SMALLEST_KERNEL) for size in kernel)
        dilation = tuple(max(step - 1, 1) for step in dilation)
    return levels


class _Drawing:
    """The layers of one network as they are added, named and seeded in order."""

    def __init__(self, config: Config) -> None:
        self.activation = find_activation(config.model.activation)
        layer = config.model.normalization_layer
        self.normalization = layer if config.model.normalization else None
        self.seed = config.train.seed
        self.used: Counter[str] = Counter()

    def name(self, kind: str) -> str:
        index = self.used[kind]
        self.used[kind] += 1
        return f"{kind}_{index}" if index else kind

    def conv(self, features: Any, level: Level) -> Any:
        features = layers.Conv2D(
            level.filters,
            level.kernel,
            padding="same",
            dilation_rate=level.dilation,
            activation=self.activation if self.normalization in (None, "batch") else None,
            kernel_initializer="he_normal",
            name=self.name("conv2d"),
        )(features)
        if self.normalization == "batch":
            return BatchNormalization(name=self.name("batch_normalization"))(features)
        if self.normalization:
            name = self.name("group_normalization")
            features = GroupNormalization(groups_of(self.normalization, level.filters), name=name)(features)
            features = layers.Activation(self.activation, name=self.name("activation"))(features)
        return features

    def double_conv(self, features: Any, level: Level) -> Any:
        features = self.conv(features, level)
        seed = self.seed + self.used["dropout"]
        features = layers.Dropout(level.dropout, seed=seed, name=self.name("dropout"))(features)
        return self.conv(features, level)

    def pool(self, features: Any) -> Any:
        return layers.MaxPooling2D(2, name=self.name("max_pooling2d"))(features)

    def up(self, features: Any, filters: int) -> Any:
        name = self.name("conv2d_transpose")
        return layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=name)(features)

    def join(self, features: Any, skip: Any) -> Any:
        return layers.Concatenate(name=self.name("concatenate"))([features, skip])


def build(config: Config) -> keras.Model:
    """Build the U-Net that `[model]` describes, with its initial weights as Keras draws them.

    Args:
        config: The configuration; `[train] seed` seeds the dropout.

    Returns:
        A model from images `(N, image_height, image_width, image_channels)` in 0..255 to float32
        probabilities `(N, image_height, image_width, num_classes)`: softmax over the classes, or
        `final_activation` (sigmoid) of a single one.

    Raises:
        ConfigError: if the image size, the dropout or an activation cannot be used; what can is named.
    """
    check_image_size(config)
    model = config.model
    levels = plan_levels(config)
    drawing = _Drawing(config)

    image = keras.Input((model.image_height, model.image_width, model.image_channels), name="image")
    features = image
    if model.input_normalize:
        # In float32: 16-bit images would lose their lower bits to a narrower type before they are scaled.
        features = layers.Rescaling(1.0 / 255.0, dtype="float32", name="rescaling")(features)
    skips = []
    for level in levels[:-1]:
        features = drawing.double_conv(features, level)
        skips.append(features)
        features = drawing.pool(features)
    features = drawing.double_conv(features, levels[-1])
    for level, skip in zip(reversed(levels[:-1]), reversed(skips), strict=True):
        features = drawing.join(drawing.up(features, level.filters), skip)
        features = drawing.double_conv(features, level)
    probabilities = layers.Conv2D(
        model.num_classes,
        1,
        activation=output_activation(config),
        dtype="float32",
        name=drawing.name("conv2d"),
    )(features)
    return keras.Model(image, probabilities, name="flexunet")


def decoder_maps(config: Config) -> list[str]:
    """The last layer of each decoder level but the first, finest first."""
    kind = "conv2d"
    if config.model.normalization:
        kind = "batch_normalization" if config.model.normalization_layer == "batch" else "activation"
    # Two convolutions a level, counted down the encoder and up the decoder.
    last = 4 * config.model.num_layers - 3
    return [f"{kind}_{last - 2 * level}" for level in range(1, config.model.num_layers - 1)]


def output_activation(config: Config) -> str:
    """Softmax for two classes or more, whatever the configuration says; else `[model] final_activation`.

    Raises:
        ConfigError: if Keras has no activation of that name.
    """
    if config.model.num_classes > 1:
        return "softmax"
    return find_activation(config.model.final_activation, key="final_activation")
