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
arXiv:1607.08022. Both come before the activation; batch normalisation comes after it, as published. Residual
blocks: He, K. et al. (2016), CVPR; in an encoder as Isensee, F. et al. (2024), nnU-Net Revisited, MICCAI.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.config.checks import check_image_size
from flexunet.config.schema import default_of
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
        model = config.model
        self.activation = find_activation(model.activation)
        # Keras has one slope for the activation of this name; another one is a layer of its own.
        slope, normalization = (
            model.leaky_slope,
            model.normalization_layer,
        )  # read whether or not they are used
        is_leaky = self.activation == "leaky_relu" and slope != default_of("model", "leaky_slope")
        self.slope = slope if is_leaky else None
        self.normalization = normalization if model.normalization else None
        self.is_bilinear = model.upsampling == "bilinear"
        self.seed = config.train.seed
        self.used: Counter[str] = Counter()

    def name(self, kind: str) -> str:
        index = self.used[kind]
        self.used[kind] += 1
        return f"{kind}_{index}" if index else kind

    def conv(self, features: Any, level: Level, strides: int = 1) -> Any:
        is_inside = self.normalization in (None, "batch") and self.slope is None
        features = self._conv2d(
            features,
            level,
            self.name("conv2d"),
            strides=strides,
            activation=self.activation if is_inside else None,
        )
        if self.normalization not in (None, "batch"):
            features = self._normalise(features, self.name("group_normalization"))
        if not is_inside:
            features = self._activate(features, self.name("activation"))
        if self.normalization == "batch":
            features = self._normalise(features, self.name("batch_normalization"))
        return features

    def double_conv(self, features: Any, level: Level, strides: int = 1) -> Any:
        features = self.conv(features, level, strides)
        return self.conv(self._dropout(features, level), level)

    def conv_norm_act(self, features: Any, level: Level, name: str, strides: int = 1) -> Any:
        """As residual networks have it, whatever the normalisation."""
        features = self._conv2d(features, level, f"{name}_conv", strides=strides)
        return self._activate(self._normalise(features, f"{name}_norm"), f"{name}_act")

    def residual_block(self, features: Any, level: Level, name: str, strides: int = 1) -> Any:
        main = self.conv_norm_act(features, level, f"{name}_1", strides)
        main = self._dropout(main, level, f"{name}_dropout")
        main = self._normalise(self._conv2d(main, level, f"{name}_2_conv"), f"{name}_2_norm")
        if strides > 1:
            features = layers.AveragePooling2D(strides, name=f"{name}_shortcut_pool")(features)
        if features.shape[-1] != level.filters:
            plain = replace(level, kernel=(1, 1), dilation=(1, 1))
            features = self._conv2d(features, plain, f"{name}_shortcut_conv")
            features = self._normalise(features, f"{name}_shortcut_norm")
        return self._activate(layers.Add(name=f"{name}_add")([main, features]), f"{name}_out")

    def pool(self, features: Any) -> Any:
        return layers.MaxPooling2D(2, name=self.name("max_pooling2d"))(features)

    def up(self, features: Any, filters: int) -> Any:
        if not self.is_bilinear:
            name = self.name("conv2d_transpose")
            return layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=name)(features)
        # Before the enlargement, where it costs a quarter: the two commute.
        features = layers.Conv2D(filters, 1, name=self.name("projection"))(features)
        name = self.name("up_sampling2d")
        return layers.UpSampling2D(2, interpolation="bilinear", name=name)(features)

    def join(self, features: Any, skip: Any) -> Any:
        return layers.Concatenate(name=self.name("concatenate"))([features, skip])

    def _conv2d(
        self, features: Any, level: Level, name: str, strides: int = 1, activation: Any = None
    ) -> Any:
        return layers.Conv2D(
            level.filters,
            level.kernel,
            strides=strides,
            padding="same",
            # Keras has no strided convolution with dilation.
            dilation_rate=level.dilation if strides == 1 else (1, 1),
            activation=activation,
            kernel_initializer="he_normal",
            name=name,
        )(features)

    def _normalise(self, features: Any, name: str) -> Any:
        if self.normalization is None:
            return features
        if self.normalization == "batch":
            return BatchNormalization(name=name)(features)
        return GroupNormalization(groups_of(self.normalization, features.shape[-1]), name=name)(features)

    def _activate(self, features: Any, name: str) -> Any:
        if self.slope is not None:
            return layers.LeakyReLU(negative_slope=self.slope, name=name)(features)
        return layers.Activation(self.activation, name=name)(features)

    def _dropout(self, features: Any, level: Level, name: str | None = None) -> Any:
        seed = self.seed + self.used["dropout"]
        counted = self.name("dropout")
        return layers.Dropout(level.dropout, seed=seed, name=name or counted)(features)


class _Encoder:
    """The way down: plain double convolutions, or residual blocks; halved by pooling or by strides."""

    def __init__(self, config: Config, drawing: _Drawing) -> None:
        self.drawing = drawing
        self.is_residual = config.model.encoder_blocks == "residual"
        self.blocks = config.model.blocks_per_level
        self.is_strided = config.model.downsampling == "stride"

    def level(self, features: Any, depth: int, level: Level) -> Any:
        """The maps of one level, of those of the level above it, or at depth 0 of the image."""
        strides = 1
        if depth and self.is_strided:
            strides = 2
        elif depth:
            features = self.drawing.pool(features)
        if not self.is_residual:
            return self.drawing.double_conv(features, level, strides)
        if not depth:
            features = self.drawing.conv_norm_act(features, level, "encoder0_stem")
        for number in range(self.blocks[min(depth, len(self.blocks) - 1)]):
            name = f"encoder{depth}_block{number}"
            features = self.drawing.residual_block(features, level, name, 1 if number else strides)
        return features


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
    encoder = _Encoder(config, drawing)
    maps = []
    for depth, level in enumerate(levels):
        features = encoder.level(features, depth, level)
        maps.append(features)
    for level, skip in zip(reversed(levels[:-1]), reversed(maps[:-1]), strict=True):
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
    drawing = _Drawing(config)
    kind = "conv2d" if drawing.slope is None else "activation"
    if drawing.normalization:
        kind = "batch_normalization" if drawing.normalization == "batch" else "activation"
    # Two convolutions a level, counted down the encoder, if it has names of the kind, and up the decoder.
    levels = config.model.num_layers
    last = 2 * (levels - 1) - 1 + (2 * levels if config.model.encoder_blocks == "plain" else 0)
    return [f"{kind}_{last - 2 * level}" for level in range(1, levels - 1)]


def output_activation(config: Config) -> str:
    """Softmax for two classes or more, whatever the configuration says; else `[model] final_activation`.

    Raises:
        ConfigError: if Keras has no activation of that name.
    """
    if config.model.num_classes > 1:
        return "softmax"
    return find_activation(config.model.final_activation, key="final_activation")
