"""How an image and a model of another size come together, and how the answer comes back to the image.

`RESIZED` stretches the image to the model. `PADDED` keeps its proportions: what is larger than the model is
reduced, what is smaller stays as it is, and pixels of its edge fill the rest. `PUBLISHED_TILE` is how the
published system takes tiles: Pillow's bicubic filter there, the nearest pixel back.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from flexunet.data.images.pixels import resize_image, to_model_range


class Fit(Protocol):
    """A way from an image to the model's size and back."""

    def to_model(self, image: np.ndarray, width: int, height: int) -> np.ndarray:
        """An image `(h, w, C)` of any depth at the model's size `(height, width, C)`."""
        ...

    def from_model(self, raw: np.ndarray, width: int, height: int) -> np.ndarray:
        """What the model says `(h, w, channels)`, at the size of the image."""
        ...


class Resized:
    """Linear interpolation both ways, whatever that does to the shape of things; as published."""

    def to_model(self, image: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`; float32 0..255."""
        return resize_image(to_model_range(image), width, height)

    def from_model(self, raw: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`."""
        if raw.shape[:2] == (height, width):
            return raw
        resized = cv2.resize(raw, (width, height), interpolation=cv2.INTER_LINEAR)
        return resized.reshape(height, width, raw.shape[2])


class Padded:
    """The image at the top left, never enlarged, in its own proportions; beside it its edge pixels."""

    def to_model(self, image: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`; float32 0..255."""
        columns, rows = _reduced(image.shape[1], image.shape[0], width, height)
        reduced = RESIZED.to_model(image, columns, rows)
        return np.pad(reduced, ((0, height - rows), (0, width - columns), (0, 0)), mode="edge")

    def from_model(self, raw: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`; what was added is cut off."""
        columns, rows = _reduced(width, height, raw.shape[1], raw.shape[0])
        return RESIZED.from_model(np.ascontiguousarray(raw[:rows, :columns]), width, height)


class PublishedTile:
    """Bicubic, in 8 bits where the image has 8; back to the nearest pixel, as published for tiles."""

    def to_model(self, image: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`; uint8, or float32 0..255 of a deeper image."""
        pixels = image if image.dtype == np.uint8 else to_model_range(image)
        planes = [Image.fromarray(plane) for plane in np.moveaxis(pixels, -1, 0)]
        resized = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
        # Bicubic swings over; 8 bits stop it at 0 and 255, and so do others.
        return np.clip(np.stack([np.asarray(plane) for plane in resized], axis=-1), 0, 255)

    def from_model(self, raw: np.ndarray, width: int, height: int) -> np.ndarray:
        """See `Fit`."""
        return raw[np.ix_(_nearest(raw.shape[0], height), _nearest(raw.shape[1], width))]


RESIZED, PADDED, PUBLISHED_TILE = Resized(), Padded(), PublishedTile()


def _reduced(width: int, height: int, most_width: int, most_height: int) -> tuple[int, int]:
    """Width and height of an image reduced, if need be, to fit into a box; no side is lost."""
    share = min(1.0, most_width / width, most_height / height)
    return max(1, round(width * share)), max(1, round(height * share))


def _nearest(length: int, wanted: int) -> np.ndarray:
    """The places of an axis that Pillow picks for another length, ties as it settles them."""
    places = Image.fromarray(np.arange(length, dtype=np.int32)[np.newaxis])
    return np.asarray(places.resize((wanted, 1), Image.Resampling.NEAREST))[0]
