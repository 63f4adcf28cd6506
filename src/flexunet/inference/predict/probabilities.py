"""From probabilities to masks, and between one channel and two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mask_of(probabilities: NDArray[np.float32], threshold: float | None = None) -> NDArray[np.uint8]:
    """The class of each pixel, from probabilities.

    Args:
        probabilities: Float32 `(..., C)`; with one channel it is the probability of class 1.
        threshold: None for the most probable class (one channel: above 0.5). Otherwise a pixel is foreground
            where background leaves at least this probability, and takes its most probable foreground class.

    Returns:
        Class indices, uint8 `(...)`.

    Examples:
        >>> import numpy as np
        >>> flexunet.mask_of(np.array([[[0.9, 0.1], [0.2, 0.8]]], np.float32))
        array([[0, 1]], dtype=uint8)
    """
    if threshold is None and probabilities.shape[-1] == 1:
        return (probabilities[..., 0] > 0.5).astype(np.uint8)
    if threshold is None:
        return probabilities.argmax(axis=-1).astype(np.uint8)
    inside = foreground_probability(probabilities) >= threshold
    if probabilities.shape[-1] <= 2:
        return inside.view(np.uint8)
    return np.where(inside, 1 + probabilities[..., 1:].argmax(axis=-1), 0).astype(np.uint8)


def foreground_probability(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability that a pixel is not background, `(H, W)`."""
    if probabilities.shape[-1] <= 2:
        return probabilities[..., -1]
    return np.clip(1 - probabilities[..., 0], 0, 1)


def two_channels(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities with a channel for background, made where a sigmoid model has none."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=-1)
