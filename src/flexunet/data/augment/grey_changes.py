"""Changes of grey values that `[random_transform]` draws: one table, a row for each.

Source of the set, and of the order in which they come: Isensee, F. et al. (2021), nnU-Net, Nat Methods 18,
203-211, supplement. Gamma is ours: black stays black and white stays white.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_WHITE = 255


@dataclass(frozen=True)
class Grey:
    """Changes of grey values one after the other; the mask stays as it is.

    Attributes:
        drawn: Name in `GREY_CHANGES` and value of each.
        seed: Of the noise.
    """

    drawn: Sequence[tuple[str, float]]
    seed: int

    def image(self, image: np.ndarray) -> np.ndarray:
        """Changed image, float32 from 0 to 255, of an image of that kind."""
        changed = image
        for name, value in self.drawn:
            changed = GREY_CHANGES[name](changed, value, self.seed).reshape(image.shape)
        return np.clip(changed, 0, _WHITE)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask as it is."""
        return mask.copy()


def _noisy(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    """The same noise in all channels, of `value` times the standard deviation of the image."""
    noise = np.random.default_rng(seed).standard_normal((*image.shape[:2], 1), np.float32)
    noise *= np.float32(value * _moments(image)[1])
    return image + noise


def _blurred(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), value) if value else image


def _brightened(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    return image * np.float32(value)


def _contrasted(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    """Distance of each pixel from the mean times `value`, within the range that the image had."""
    low, high = float(image.min()), float(image.max())
    mean = _moments(image)[0]
    return np.clip(image * np.float32(value) + np.float32(mean * (1 - value)), low, high)


def _coarsened(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    size = max(1, round(width * value)), max(1, round(height * value))
    small = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _raised(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    return cv2.pow(np.maximum(image, 0) * np.float32(1 / _WHITE), value) * np.float32(_WHITE)


def _raised_inverted(image: np.ndarray, value: float, seed: int) -> np.ndarray:
    return _WHITE - _raised(_WHITE - image, value, seed).reshape(image.shape)


def _moments(image: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation over all channels."""
    mean, deviation = cv2.meanStdDev(image.reshape(-1, 1))
    return float(mean[0, 0]), float(deviation[0, 0])


# By the key of [random_transform] that holds the range of the value; they come in this order.
GREY_CHANGES: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "noise": _noisy,
    "blur": _blurred,
    "brightness": _brightened,
    "contrast": _contrasted,
    "low_resolution": _coarsened,
    "inverted_gamma": _raised_inverted,
    "gamma": _raised,
}
