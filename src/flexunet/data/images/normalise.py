"""Grey values of an image brought to those of its breast: `[image] normalize`.

Films differ in exposure and in what their scanner made of it. A model that is fed grey values as they are
must learn to see past that; with few films it cannot. Both rules are one line through the grey values of the
whole image, whatever part of it a model is then shown, and the result is an image like any other, from black
to white.

`zscore`: the breast's mean becomes the middle of the range, its standard deviation a tenth of the range.
`percentiles`: its 1st percentile becomes a tenth of the range, its 99th nine tenths.
"""

from __future__ import annotations

import cv2
import numpy as np

from flexunet.data.images.foreground import find_foreground
from flexunet.data.images.pixels import to_model_range

_COARSE = 256  # side at which the breast is looked for and measured: alike for films of any resolution
_WHITE8, _WHITE16 = 255, 65535
_SKIN = 7  # twice the pixels by which the outline is drawn in, plus one: it lies a little outside the breast
_TENTH = 25.5
_PERCENTILES = (1, 99)
_LEAST = 1.0  # grey level of 255: a flat image is not spread farther


def normalise(image: np.ndarray, rule: str) -> np.ndarray:
    """An image with the grey values that the rule gives it.

    Args:
        image: `(H, W, C)`, uint8, uint16 or float32 of 0..255.
        rule: `none`, `zscore` or `percentiles`.

    Returns:
        `none`: the image itself. Else uint16, or float32 of 0..255 where that came in; what the line takes
        beyond black or white is cut off there.
    """
    if rule == "none":
        return image
    factor, summand = _line(image, rule)
    if image.dtype.kind == "f":
        return np.clip(image * np.float32(factor) + np.float32(summand), 0, _WHITE8)
    levels = to_model_range(np.arange(np.iinfo(image.dtype).max + 1).astype(image.dtype))
    table = np.clip(levels * factor + summand, 0, _WHITE8) * (_WHITE16 / _WHITE8)
    return np.rint(table).astype(np.uint16)[image]


def _line(image: np.ndarray, rule: str) -> tuple[float, float]:
    """Factor and summand of grey values of 0..255."""
    scale = _COARSE / max(image.shape[:2])
    size = max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.resize(to_model_range(image), size, interpolation=way).reshape(size[1], size[0], -1)
    grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY) if grey.shape[2] == 3 else grey[..., 0]
    foreground = find_foreground(np.rint(np.clip(grey, 0, _WHITE8)).astype(np.uint8)).view(np.uint8)
    inner = cv2.erode(foreground, np.ones((_SKIN, _SKIN), np.uint8))
    breast = grey[(inner if inner.any() else foreground) > 0]
    if rule == "zscore":
        factor = _TENTH / max(float(breast.std(dtype=np.float64)), _LEAST)
        return factor, _WHITE8 / 2 - factor * float(breast.mean(dtype=np.float64))
    low, high = (float(value) for value in np.percentile(breast, _PERCENTILES))
    factor = 8 * _TENTH / max(high - low, _LEAST)
    return factor, _TENTH - factor * low
