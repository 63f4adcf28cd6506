"""Group normalisation with its moments in one pass, as fast as batch normalisation on every engine."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="flexunet")
class GroupNormalization(keras.layers.GroupNormalization):
    """Keras's layer, to the rounding of sums, with other steps.

    Keras moves every pixel into an array with an axis for groups, and reads it twice for the moments. Here
    the sums of values and of squares are taken of each channel, in the array as it is; groups are made of
    these few numbers, and one factor and one summand of each channel do the rest. Files of either layer load
    into the other: weights and their names are the same.

    The variance is the mean square less the squared mean, in float32: less exact than Keras's where a
    channel's mean is hundreds of times its standard deviation.

    Source: Wu, Y. and He, K. (2018), Group Normalization, ECCV.
    """

    def call(self, inputs: Any) -> Any:
        """Normalise each image's groups of channels."""
        rank = len(inputs.shape)
        if not (self.scale and self.center and rank > 2 and self.axis in (-1, rank - 1)):
            return super().call(inputs)
        channels = inputs.shape[-1]
        grouped = (self.groups, channels // self.groups)
        pixels = tuple(range(1, rank - 1))
        features = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))

        def of_groups(values: Any) -> Any:
            """Mean over pixels and over the channels of a group: `(N, groups, 1)`."""
            means = ops.reshape(ops.mean(values, axis=pixels), (-1, *grouped))
            return ops.mean(means, axis=-1, keepdims=True)

        mean = of_groups(features)
        variance = ops.maximum(of_groups(ops.square(features)) - ops.square(mean), 0.0)
        gamma, beta = (
            ops.reshape(ops.cast(weight, features.dtype), grouped) for weight in (self.gamma, self.beta)
        )
        factor = ops.rsqrt(variance + self.epsilon) * gamma
        shape = (-1, *(1 for _ in pixels), channels)
        outputs = features * ops.reshape(factor, shape) + ops.reshape(beta - mean * factor, shape)
        return ops.cast(outputs, self.compute_dtype)


def groups_of(layer: str, channels: int, groups: int = 8) -> int:
    """Groups of a normalisation: a channel each for `instance`, else as many as divide the channels.

    Args:
        layer: "instance" or "group".
        channels: Channels of the layer.
        groups: Groups wanted; fewer where they do not divide the channels.
    """
    return channels if layer == "instance" else math.gcd(groups, channels)
