"""Pixels of an image in memory: its channels, its size and its range of values."""

import cv2
import numpy as np


def as_picture(image: np.ndarray) -> np.ndarray:
    """What can be shown of an image `(H, W, C)`: itself if it is grey or RGB, else its second channel.

    That one is what the published system shows by default.
    """
    return image if image.shape[2] in (1, 3) else image[..., 1:2]


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The same with three channels; grey is repeated."""
    picture = as_picture(image)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def as_grey(image: np.ndarray) -> np.ndarray:
    """The same with one channel; of colour its luma (ITU-R BT.601)."""
    picture = as_picture(image)
    return picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]


def resize_image(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize with linear interpolation (`cv2.INTER_LINEAR`, as published); the channel axis stays."""
    if image.shape[:2] == (height, width):
        return image
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized[..., None] if image.ndim == 3 and resized.ndim == 2 else resized


def to_model_range(image: np.ndarray) -> np.ndarray:
    """Grey levels as float32 from 0 to 255, whatever the depth of the file (uint16 is divided by 257)."""
    converted = np.asarray(image, dtype=np.float32)
    return converted / np.float32(257) if np.asarray(image).dtype == np.uint16 else converted
