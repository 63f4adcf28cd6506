"""Convolutions of small maps as one matrix product, several times as fast on a processor.

Deep levels of a U-Net convolve maps of 2 x 2 to 8 x 8 pixels with hundreds or thousands of filters. Programs
for convolutions divide the work by pixels, of which there are hardly any: oneDNN reaches 5 to 60 GFLOP/s of
120 there, forwards and backwards. The neighbourhoods of all pixels side by side, times the kernel as a
matrix, are the same sums in another order, at 40 to 120 (benchmarks/RESULTS.md).

Source: Chellapilla, K., Puri, S. and Simard, P. (2006), High Performance Convolutional Neural Networks for
Document Processing, IWFHR.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

# Measured: at 16 x 16 pixels the convolution is as fast; below 2^17 weights neither takes long.
MOST_PIXELS = 64
LEAST_WEIGHTS = 1 << 17


def multiply_small_maps(model: keras.Model) -> int:
    """Let the convolutions of a model that run on small maps be matrix products from now on.

    Configuration, names and weights of the model stay as they are; to be called before the model is compiled.

    Args:
        model: A functional model with a fixed input size.

    Returns:
        How many convolutions that concerns.
    """
    layers = [layer for layer in _layers(model) if _is_small(layer)]
    for layer in layers:
        layer.convolution_op = _Product(layer.dilation_rate)
    return len(layers)


class _Product:
    """The convolution of a layer with stride 1 and padding "same", as a matrix product."""

    def __init__(self, dilation: tuple[int, int]):
        self._dilation = dilation

    def __call__(self, inputs: Any, kernel: Any) -> Any:
        """Convolve `(n, H, W, C)` with `(rows, columns, C, filters)`."""
        rows, columns, channels, filters = kernel.shape
        _, height, width, _ = inputs.shape
        steps_down, steps_right = self._dilation
        down, right = (rows - 1) * steps_down, (columns - 1) * steps_right
        # As "same" pads: where the two sides cannot be equal, the last one is the larger.
        padding = ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0))
        padded = ops.pad(inputs, padding)
        neighbours = ops.concatenate(
            [
                padded[:, top : top + height, left : left + width]
                for top in range(0, down + 1, steps_down)
                for left in range(0, right + 1, steps_right)
            ],
            axis=-1,
        )
        product = ops.matmul(
            ops.reshape(neighbours, (-1, rows * columns * channels)), ops.reshape(kernel, (-1, filters))
        )
        return ops.reshape(product, (-1, height, width, filters))


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _is_small(layer: keras.Layer) -> bool:
    if type(layer) is not keras.layers.Conv2D:
        return False
    if (layer.strides, layer.padding, layer.groups) != ((1, 1), "same", 1):
        return False
    height, width = layer.output.shape[1:3]
    weights = layer.kernel.shape
    return (
        layer.data_format == "channels_last"
        and None not in (height, width)
        and height * width <= MOST_PIXELS
        and weights[0] * weights[1] > 1  # 1 x 1 is a product already
        and weights[0] * weights[1] * weights[2] * weights[3] >= LEAST_WEIGHTS
    )
