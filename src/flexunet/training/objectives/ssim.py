"""Structural similarity of two batches of images, on any engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from flexunet.errors import ShapeError

WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def _window(channels: int) -> Any:
    """Gaussian weights of sum 1, the same for every channel, `(11, 11, channels, 1)`.

    In flat regions the variances below are differences of nearly equal float32 numbers, and the rounding of
    these weights shows in the third digit. They are therefore made as the published engine makes them.
    """
    offsets = np.arange(WINDOW, dtype=np.float32) - WINDOW // 2
    exponents = np.square(offsets) * np.float32(-0.5 / _SIGMA**2)
    weights = ops.softmax(ops.convert_to_tensor((exponents[None, :] + exponents[:, None]).reshape(1, -1)))
    return ops.tile(ops.reshape(weights, (WINDOW, WINDOW, 1, 1)), (1, 1, channels, 1))


def ssim(first: Any, second: Any) -> Any:
    """Mean structural similarity of each pair of images, over the windows that lie inside them.

    Args:
        first: Float32 `(N, H, W, C)` in 0..1, H and W at least 11.
        second: Same shape.

    Returns:
        Float32 `(N,)`, at most 1: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03.

    Raises:
        ShapeError: if the images are smaller than the window.

    Source: Wang, Z. et al. (2004), IEEE Transactions on Image Processing 13(4), 600-612.
    """
    height, width, channels = first.shape[1:]
    if min(height or WINDOW, width or WINDOW) < WINDOW:
        raise ShapeError(
            f"structural similarity needs images of {WINDOW} x {WINDOW} pixels or more, found {width} x "
            f"{height}: choose larger [model] image_width and image_height, or a loss without ssim."
        )
    window = _window(channels)

    def local_mean(images: Any) -> Any:
        return ops.depthwise_conv(images, window, padding="valid")

    mean_first, mean_second = local_mean(first), local_mean(second)
    product = mean_first * mean_second * 2.0
    squares = mean_first * mean_first + mean_second * mean_second
    luminance = (product + _K1**2) / (squares + _K1**2)
    covariance = local_mean(first * second) * 2.0 - product
    variances = local_mean(first * first + second * second) - squares
    structure = (covariance + _K2**2) / (variances + _K2**2)
    return ops.mean(ops.mean(luminance * structure, axis=(1, 2)), axis=-1)
