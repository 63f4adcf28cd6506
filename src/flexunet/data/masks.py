"""Masks: colours in files, class indices in memory.

In memory a mask is a uint8 array `H x W` of class indices. Colours exist only at the edges of the program:
a `ColorMap` turns them into indices on reading and back on writing. Masks are never interpolated.
"""

import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flexunet.data.files import replacing
from flexunet.data.images import read_image
from flexunet.errors import ConfigError, ImageError, MaskError

Color = tuple[int, int, int]
FAR = 48  # Euclidean distance in RGB beyond which a colour counts as off the map
TOLERANCE = 0.05  # share of pixels that may be off the map: antialiased edges, JPEG blocks
_UNDECIDED = 255


class ColorMap:
    """Which colour of a mask file means which class (`[mask] rgb_map`).

    Args:
        colors: Class index of each RGB colour. Several colours may mean one class; the first of them in the
            order given is the one written.

    Attributes:
        num_classes: Highest class index + 1.
        palette: Colour of each class, uint8 array `(num_classes, 3)`.

    Raises:
        ConfigError: if the map is empty, or a colour or class index is out of range, or a class between
            0 and the highest has no colour.
    """

    def __init__(self, colors: Mapping[Color, int]):
        self.colors_to_class = {tuple(int(c) for c in color): int(i) for color, i in colors.items()}
        self._check()
        # Sorted by class, so that among equally near colours the lowest class wins. Sorting is stable.
        entries = sorted(self.colors_to_class.items(), key=lambda entry: entry[1])
        self._colors = np.array([color for color, _ in entries], np.int32)
        self._classes = np.array([index for _, index in entries], np.uint8)
        self.num_classes = int(self._classes[-1]) + 1
        first = [int(np.argmax(self._classes == index)) for index in range(self.num_classes)]
        self.palette = self._colors[first].astype(np.uint8)
        self._nearest_to_grey = self._nearest(np.repeat(np.arange(256)[:, None], 3, axis=1))

    @classmethod
    def binary(cls) -> "ColorMap":
        """Black background, white foreground."""
        return cls({(0, 0, 0): 0, (255, 255, 255): 1})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColorMap) and self.colors_to_class == other.colors_to_class

    def __hash__(self) -> int:
        return hash(tuple(self.colors_to_class.items()))

    def __repr__(self) -> str:
        return f"ColorMap({self.colors_to_class})"

    def encode(self, rgb: np.ndarray) -> np.ndarray:
        """Class of the nearest colour (squared Euclidean in RGB, ties to the lowest class), as published.

        Args:
            rgb: uint8 array `(H, W, 3)`, or grey `(H, W)` or `(H, W, 1)`.

        Returns:
            Class indices, uint8 array `(H, W)`.
        """
        return self._classes[self._positions(rgb)]

    def distance(self, rgb: np.ndarray) -> np.ndarray:
        """Squared Euclidean distance of each pixel to the nearest colour, int32 array `(H, W)`."""
        return self._distance_to(rgb, self._positions(rgb))

    def colors(self, mask: np.ndarray) -> np.ndarray:
        """Colours of class indices, uint8 array `(H, W, 3)`.

        Raises:
            MaskError: if an index has no colour.
        """
        self._check_indices(mask)
        return self.palette[mask]

    def _check(self) -> None:
        key = "[mask] rgb_map"
        if not self.colors_to_class:
            raise ConfigError(f"{key} is empty. Expected a class index for each colour, e.g. (0, 0, 0): 0.")
        for color, index in self.colors_to_class.items():
            if len(color) != 3 or not all(0 <= value <= 255 for value in color):
                raise ConfigError(f"{key}: {color} is not a colour. Expected three values from 0 to 255.")
            if not 0 <= index <= 255:
                raise ConfigError(f"{key}: class index {index} of {color} is not in 0 to 255.")
        missing = sorted(
            set(range(max(self.colors_to_class.values()) + 1)) - set(self.colors_to_class.values())
        )
        if missing:
            raise ConfigError(
                f"{key}: no colour for class {', '.join(map(str, missing))}. Count from 0, no gaps."
            )

    def _check_indices(self, mask: np.ndarray) -> None:
        if mask.size and int(mask.max()) >= self.num_classes:
            raise MaskError(
                f"the mask holds class {int(mask.max())}, but [mask] rgb_map has classes 0 to "
                f"{self.num_classes - 1} only."
            )

    def _nearest(self, pixels: np.ndarray) -> np.ndarray:
        """Position of the nearest colour for pixels `(N, 3)`."""
        # |p - c|^2 less |p|^2, which is the same for all colours; float32 is exact, all terms are below 2^24.
        colors = self._colors.astype(np.float32)
        scores = (colors**2).sum(axis=1)[:, None] - 2 * (colors @ pixels.T.astype(np.float32))
        return scores.argmin(axis=0).astype(np.uint8)

    @cached_property
    def _nearest_by_cell(self) -> np.ndarray:
        """Nearest colour for each of 32 x 32 x 32 cells of the RGB cube, _UNDECIDED where borders cross it.

        The points nearest to one colour form a convex region. So if the eight corners of a cell have the
        same nearest colour, all points of the cell have it.
        """
        levels = (np.arange(32)[:, None] * 8 + [0, 7]).ravel()  # lowest and highest value in each cell
        corners = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
        parts = np.split(corners, 16)
        nearest = np.concatenate([self._nearest(part) for part in parts]).reshape(32, 2, 32, 2, 32, 2)
        lowest, highest = nearest.min(axis=(1, 3, 5)), nearest.max(axis=(1, 3, 5))
        return np.where(lowest == highest, lowest, _UNDECIDED).astype(np.uint8).ravel()

    def _distance_to(self, rgb: np.ndarray, positions: np.ndarray) -> np.ndarray:
        pixels = rgb.reshape(*rgb.shape[:2], -1)
        total = np.zeros(rgb.shape[:2], np.int32)
        for channel in range(3):
            value = pixels[..., min(channel, pixels.shape[2] - 1)]
            total += (value - self._colors[:, channel][positions]) ** 2
        return total

    def _positions(self, rgb: np.ndarray) -> np.ndarray:
        """Position of the nearest colour for each pixel, uint8 array `(H, W)`."""
        if rgb.dtype != np.uint8 or rgb.ndim not in (2, 3) or (rgb.ndim == 3 and rgb.shape[2] not in (1, 3)):
            raise MaskError(f"expected 8-bit colours H x W x 3, found {rgb.dtype} {rgb.shape}.")
        if rgb.ndim == 2 or rgb.shape[2] == 1:
            return self._nearest_to_grey[rgb.reshape(rgb.shape[:2])]
        cells = (rgb >> 3).astype(np.uint16)
        positions = self._nearest_by_cell[cells[..., 0] << 10 | cells[..., 1] << 5 | cells[..., 2]]
        undecided = positions == _UNDECIDED
        if undecided.any():
            positions[undecided] = self._nearest(rgb[undecided])
        return positions


def read_mask(
    path: Path | str, color_map: ColorMap, *, tolerance: float = TOLERANCE, threshold: float | None = None
) -> np.ndarray:
    """Read a mask file as class indices.

    A mask file is one of: a picture in the colours of the map (grey pictures too: 0 and 255 under a black and
    white map), taken by nearest colour; a single-channel 8-bit picture whose values are all below the number
    of classes and of which at least one is not 0: class indices; a `.npz` file with the key `mask` (indices
    `H x W` or one-hot `H x W x classes`).

    Args:
        path: The file.
        color_map: Colours of the classes.
        tolerance: Share of pixels that may lie far from every colour (antialiasing, JPEG); 1 accepts all.
        threshold: If given, the picture is turned grey and what lies above is class 1 (`[mask] binarize`).

    Returns:
        uint8 array `(H, W)`.

    Raises:
        MaskError: if the file cannot be read or its colours or indices do not fit the map.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, color_map)
    try:
        picture = read_image(path, channels=None)
    except ImageError as error:
        raise MaskError(f"mask {error}") from error
    if picture.dtype == np.uint16:
        picture = _eight_bits(picture, color_map)
    if threshold is not None:
        grey = picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return (grey.reshape(grey.shape[:2]) > threshold).astype(np.uint8)
    if picture.shape[2] == 1 and 0 < int(picture.max()) < color_map.num_classes:
        return picture[..., 0]
    mask = color_map.encode(picture)
    if tolerance < 1:
        _refuse_strange_colors(path, picture, mask, color_map, tolerance)
    return mask


def write_mask(path: Path | str, mask: np.ndarray, color_map: ColorMap) -> None:
    """Write a mask as palette PNG: the stored values are class indices, the palette has the colours.

    Raises:
        MaskError: if an index has no colour, or the name does not end in .png.
        PathError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise MaskError(f"cannot write mask {path}: the name must end in .png.")
    if mask.ndim != 2:
        raise MaskError(f"cannot write mask {path}: expected H x W class indices, found shape {mask.shape}.")
    color_map._check_indices(mask)
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    picture.putpalette(color_map.palette.ravel().tolist())
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=4)


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize class indices by nearest neighbour: no class appears that was not there."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _eight_bits(picture: np.ndarray, color_map: ColorMap) -> np.ndarray:
    """16-bit masks hold either small indices or scaled colours."""
    if picture.shape[2] == 1 and int(picture.max()) < color_map.num_classes:
        return picture.astype(np.uint8)
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _refuse_strange_colors(
    path: Path, picture: np.ndarray, mask: np.ndarray, color_map: ColorMap, tolerance: float
) -> None:
    """Raise if many pixels, or a good part of the objects' flat areas, are far from every colour.

    Antialiased and JPEG edges are thin and vary from pixel to pixel; a class that the map lacks
    fills areas.
    """
    off = color_map.distance(picture) > FAR**2
    count = int(np.count_nonzero(off))
    if not count:
        return
    kernel = np.ones((3, 3), np.uint8)
    flat = (cv2.dilate(picture, kernel) == cv2.erode(picture, kernel)).reshape(*off.shape, -1).all(axis=-1)
    flat_off = off & flat
    background = int(np.bincount(mask.ravel()).argmax())
    objects = int(np.count_nonzero((mask != background) | off))
    flat_count = int(np.count_nonzero(flat_off))
    if count <= tolerance * off.size and (flat_count < 16 or flat_count <= tolerance * objects):
        return
    strange = picture.reshape(off.size, -1)[(flat_off if flat_count else off).ravel()]
    found, counts = np.unique(strange, axis=0, return_counts=True)
    color = tuple(int(value) for value in np.resize(found[counts.argmax()], 3))
    expected = ", ".join(str(color) for color in color_map.colors_to_class)
    raise MaskError(
        f"mask {path}: {count / off.size:.1%} of its pixels are far from every colour of [mask] rgb_map, "
        f"most often {color}. Expected {expected}. Add the colour to rgb_map, or correct the mask."
    )


def _read_arrays(path: Path, color_map: ColorMap) -> np.ndarray:
    if not path.is_file():
        raise MaskError(f"mask {path} does not exist.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "mask" not in arrays:
                raise MaskError(
                    f"mask {path}: expected the key 'mask', found {', '.join(arrays) or 'nothing'}."
                )
            values = arrays["mask"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise MaskError(f"mask {path} cannot be read as .npz ({error}). Write it again.") from error
    numeric = values.dtype.kind in "buif"
    if numeric and values.ndim == 3 and values.shape[2] > 1:
        if values.shape[2] > color_map.num_classes:
            raise MaskError(
                f"mask {path}: {values.shape[2]} classes in the array, {color_map.num_classes} in rgb_map."
            )
        return values.argmax(axis=2).astype(np.uint8)
    if not numeric or values.ndim not in (2, 3) or values.size == 0:
        raise MaskError(
            f"mask {path}: expected indices H x W or one-hot H x W x classes, found {values.dtype} "
            f"{values.shape}."
        )
    indices = values.reshape(values.shape[:2])
    if values.ndim == 3 and values.dtype.kind == "f":
        indices = indices > 0.5
    if indices.min() < 0 or indices.max() >= color_map.num_classes or (indices != np.floor(indices)).any():
        raise MaskError(
            f"mask {path}: expected class indices 0 to {color_map.num_classes - 1}, found values from "
            f"{indices.min()} to {indices.max()}."
        )
    return indices.astype(np.uint8)
