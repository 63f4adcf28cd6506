"""What can be done to an image and its mask: one change, applied to both.

A warp moves pixels: the image is interpolated linearly, the mask takes the nearest class, and both follow the
same map. A change of grey values leaves the mask as it is. No change alters the size, and no mask ever holds
a class that it did not hold before (but for background where a warp looks beyond the border).

Images are arrays `(H, W, C)`, C = 1 or 3, uint8 or uint16, or float32 from 0 to 255. Masks are uint8 arrays
`(H, W)`. What comes back is never a view of what went in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import cv2
import numpy as np

from flexunet.data.augment.fields import Field

_CORNER = 2  # row and column of the pixel whose value fills what a rotation, shear or shrink uncovers
_FLIP_CODES = {"h": 1, "v": 0, "hv": -1}
_MOST_CHANNELS = 4
_BORDERS = {"black": cv2.BORDER_CONSTANT, "nearest": cv2.BORDER_REPLICATE, "mirror": cv2.BORDER_REFLECT}
Border = Literal["black", "nearest", "mirror"]


class Change(Protocol):
    """A change of an image, and what it does to the mask."""

    def image(self, image: np.ndarray) -> np.ndarray:
        """The image, changed."""

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask that belongs to the changed image."""


@dataclass(frozen=True)
class Flip:
    """Left to right (`h`), upside down (`v`) or both (`hv`)."""

    direction: str

    def image(self, image: np.ndarray) -> np.ndarray:
        """Flipped image."""
        return _shaped(cv2.flip(image, _FLIP_CODES[self.direction]), image)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Flipped mask."""
        return cv2.flip(mask, _FLIP_CODES[self.direction])


@dataclass(frozen=True)
class Affine:
    """An affine map `(2, 3)` from input to output; what it uncovers is like pixel [2][2], or black."""

    matrix: np.ndarray
    black: bool = False

    def image(self, image: np.ndarray) -> np.ndarray:
        """Warped image."""
        return _shaped(self._warp(image, cv2.INTER_LINEAR), image)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Warped mask."""
        return self._warp(mask, cv2.INTER_NEAREST)

    def _warp(self, pixels: np.ndarray, interpolation: int) -> np.ndarray:
        height, width = pixels.shape[:2]

        def warp(part: np.ndarray) -> np.ndarray:
            fill = 0 if self.black else np.atleast_1d(_corner(part)).tolist()
            return cv2.warpAffine(part, self.matrix, (width, height), flags=interpolation, borderValue=fill)

        return _in_fours(warp, pixels)


@dataclass(frozen=True)
class Shrink:
    """Smaller by `ratio` and centred; the frame is like pixel [2][2], or black."""

    ratio: float
    black: bool = False

    def image(self, image: np.ndarray) -> np.ndarray:
        """Shrunk image."""
        return self._framed(image, cv2.INTER_LINEAR)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Shrunk mask."""
        return self._framed(mask, cv2.INTER_NEAREST_EXACT)

    def _framed(self, pixels: np.ndarray, interpolation: int) -> np.ndarray:
        height, width = pixels.shape[:2]
        rows, columns = max(1, int(height * self.ratio)), max(1, int(width * self.ratio))
        top, left = (height - rows) // 2, (width - columns) // 2
        framed = np.empty_like(pixels)
        framed[:] = 0 if self.black else _corner(pixels)
        inner = framed[top : top + rows, left : left + columns]
        inner[:] = cv2.resize(pixels, (columns, rows), interpolation=interpolation).reshape(inner.shape)
        return framed


@dataclass(frozen=True)
class Displace:
    """Every pixel taken from where a field says; `border` says what lies beyond the image."""

    field: Field
    border: Border = "black"

    def image(self, image: np.ndarray) -> np.ndarray:
        """Displaced image."""
        return _shaped(self._warp(image, cv2.INTER_LINEAR), image)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Displaced mask."""
        return self._warp(mask, cv2.INTER_NEAREST)

    def _warp(self, pixels: np.ndarray, interpolation: int) -> np.ndarray:
        return _in_fours(
            lambda part: cv2.remap(part, *self.field, interpolation, borderMode=_BORDERS[self.border]), pixels
        )


@dataclass(frozen=True)
class Discs:
    """Parts of the picture displaced, one after the other; each is (top, left, field of its box)."""

    boxes: Sequence[tuple[int, int, Field]]

    def image(self, image: np.ndarray) -> np.ndarray:
        """Image with its discs distorted."""
        return self._warp(image, cv2.INTER_LINEAR)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Mask with its discs distorted."""
        return self._warp(mask, cv2.INTER_NEAREST)

    def _warp(self, pixels: np.ndarray, interpolation: int) -> np.ndarray:
        warped = pixels.copy()
        for top, left, (map_x, map_y) in self.boxes:
            if not map_x.size:
                continue
            box = warped[top : top + map_x.shape[0], left : left + map_x.shape[1]]
            moved = _in_fours(partial(_remapped, map_x, map_y, interpolation), warped)
            box[:] = moved.reshape(box.shape)
        return warped


@dataclass(frozen=True)
class Sharpen:
    """Each pixel plus `k` times its difference from each of its eight neighbours."""

    k: float

    def image(self, image: np.ndarray) -> np.ndarray:
        """Sharpened image."""
        kernel = np.full((3, 3), -self.k)
        kernel[1, 1] = 1 + 8 * self.k
        return _limited(_shaped(cv2.filter2D(image, -1, kernel), image))

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask as it is."""
        return mask.copy()


@dataclass(frozen=True)
class Brighten:
    """Grey values times `alpha` plus `beta` grey levels of an 8-bit image."""

    alpha: float
    beta: float

    def image(self, image: np.ndarray) -> np.ndarray:
        """Brightened image."""
        beta = self.beta * 257 if image.dtype == np.uint16 else self.beta
        return _limited(_shaped(cv2.addWeighted(image, self.alpha, image, 0, beta), image))

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask as it is."""
        return mask.copy()


@dataclass(frozen=True)
class Chain:
    """Changes one after the other."""

    changes: Sequence[Change]

    def image(self, image: np.ndarray) -> np.ndarray:
        """Image after all changes."""
        for change in self.changes:
            image = change.image(image)
        return image

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Mask after all changes."""
        for change in self.changes:
            mask = change.mask(mask)
        return mask


def rotation(width: int, height: int, angle: float, black: bool = False) -> Affine:
    """Rotation by `angle` degrees, counter-clockwise, about (width / 2, height / 2)."""
    return Affine(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1), black)


def shear(width: int, ratio: float, black: bool = False) -> Affine:
    """Columns moved down in proportion to their distance from the middle one."""
    return Affine(np.array([[1, 0, 0], [ratio, 1, -ratio * width / 2]], np.float64), black)


def _remapped(map_x: np.ndarray, map_y: np.ndarray, interpolation: int, pixels: np.ndarray) -> np.ndarray:
    return cv2.remap(pixels, map_x, map_y, interpolation)


def _in_fours(warp: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Warp an image of any number of channels: OpenCV takes four at most."""
    if pixels.ndim < 3 or pixels.shape[2] <= _MOST_CHANNELS:
        return warp(pixels)
    starts = range(0, pixels.shape[2], _MOST_CHANNELS)
    parts = [warp(np.ascontiguousarray(pixels[..., start : start + _MOST_CHANNELS])) for start in starts]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=2)


def _corner(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[min(_CORNER, height - 1), min(_CORNER, width - 1)]


def _shaped(changed: np.ndarray, like: np.ndarray) -> np.ndarray:
    """OpenCV drops a channel axis of length 1."""
    return changed.reshape(like.shape)


def _limited(image: np.ndarray) -> np.ndarray:
    """Integers saturate by themselves; floats are kept from 0 to 255 here."""
    return np.clip(image, 0, 255, out=image) if image.dtype.kind == "f" else image
