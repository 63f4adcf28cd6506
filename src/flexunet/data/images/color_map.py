"""Which colour of a mask file means which class."""

import ast
import colorsys
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from flexunet.errors import ConfigError, MaskError, counted

Color = tuple[int, int, int]
RGB_MAP, RGB_MAP_OPTION = "[mask] rgb_map", "--rgb-map"  # where the colours of the classes are given
GUESSED = "the map guessed from the masks"  # where nobody gave them
_UNDECIDED = 65535
_SAME_HUE = 15  # degrees within which a colour is a darker or paler one of the map
_OTHER_HUE = 45  # degrees that all other classes must be away then
_COLOURED = 0.5  # saturation below which a colour has no hue to speak of
_BRIGHT = 64  # highest channel below which it has none either
IGNORED = 255  # class index of pixels that count for nothing, where a map has a colour for them
_SMALL = 3 << 14  # values; below this a table of the whole colour cube does not pay


class ColorMap:
    """Which colour of a mask file means which class (`[mask] rgb_map`).

    Args:
        colors: Class index of each RGB colour. Several colours may mean one class; the first of them in the
            order given is the one written.
        ignore: Colour of pixels that count for nothing (`[mask] ignore`); they become `IGNORED`. None: no
            such pixels.
        names: Names of the classes above background, in the order of their indices (`[mask] class_names`).

    Attributes:
        num_classes: Highest class index + 1; ignored pixels are no class.
        palette: Colour of each class, uint8 array `(num_classes, 3)`.
        entries: Pairs of colour and class index, by class.
        names: The names as given; they are no part of what makes two maps equal.

    Raises:
        ConfigError: if the map is empty, or a colour or class index is out of range, or a class between
            0 and the highest has no colour, or the colour of ignored pixels is that of a class, or there are
            names, but not one for each class above background.

    Examples:
        >>> colors = flexunet.ColorMap({(0, 0, 0): 0, (255, 0, 0): 1})
        >>> colors.num_classes
        2
    """

    def __init__(self, colors: Mapping[Color, int], ignore: Color | None = None, names: Sequence[str] = ()):
        self.colors_to_class: dict[Color, int] = {
            tuple(int(c) for c in color): int(i)  # type: ignore[misc]  # `_check` sees to the length
            for color, i in colors.items()
        }
        self.ignore: Color | None = ignore and tuple(int(c) for c in ignore)  # type: ignore[assignment]
        self._check()
        # Sorted by class, so that among equally near colours the lowest class wins. Sorting is stable.
        self.entries = tuple(sorted(self.colors_to_class.items(), key=lambda entry: entry[1]))
        self._read = (*self.entries, *([(self.ignore, IGNORED)] if self.ignore else []))
        self._colors = np.array([color for color, _ in self._read], np.int32)
        self._classes = np.array([index for _, index in self._read], np.uint8)
        self.num_classes = self.entries[-1][1] + 1
        self.names = tuple(names)
        if self.names and len(self.names) != self.num_classes - 1:
            raise ConfigError(
                f"[mask] class_names has {counted(len(self.names), 'name')}, and {RGB_MAP} asks for "
                f"{self.num_classes - 1}, one for each class above background."
            )
        first = [int(np.argmax(self._classes == index)) for index in range(self.num_classes)]
        self.palette = self._colors[first].astype(np.uint8)
        greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
        self._grey_positions = self._nearest(greys)
        self._grey_distances = ((greys - self._colors[self._grey_positions]) ** 2).sum(axis=1)

    @classmethod
    def binary(cls) -> "ColorMap":
        """Black background, white foreground."""
        return cls({(0, 0, 0): 0, (255, 255, 255): 1})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColorMap) and self._read == other._read

    def __hash__(self) -> int:
        return hash(self._read)

    def __repr__(self) -> str:
        return f"ColorMap({self.colors_to_class}{f', ignore={self.ignore}' if self.ignore else ''})"

    def with_colors(self, colors: Mapping[Color, int]) -> "ColorMap":
        """The same with further colours of its classes."""
        return ColorMap(self.colors_to_class | dict(colors), self.ignore, self.names)

    @property
    def foreground_names(self) -> list[str]:
        """Names of the classes above background; without given ones `lesion`, or `class 1` and so on."""
        if self.names or self.num_classes <= 2:
            return list(self.names) or ["lesion"]
        return [f"class {label}" for label in range(1, self.num_classes)]

    def encode(self, rgb: np.ndarray) -> np.ndarray:
        """Class of the nearest colour (squared Euclidean in RGB, ties to the lowest class), as published.

        Args:
            rgb: uint8 array `(H, W, 3)`, or grey `(H, W)` or `(H, W, 1)`.

        Returns:
            Class indices, uint8 array `(H, W)`.
        """
        return self._classes[self._positions(as_grey_if_grey(rgb))]

    def distance(self, rgb: np.ndarray) -> np.ndarray:
        """Squared Euclidean distance of each pixel to the nearest colour, int32 array `(H, W)`."""
        return self.encode_with_distance(rgb)[1]

    def encode_with_distance(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both `encode` and `distance`, at the price of one."""
        pixels = as_grey_if_grey(rgb)
        positions = self._positions(pixels)
        if pixels.ndim == 2:
            return self._classes[positions], self._grey_distances[pixels].astype(np.int32)
        distances = np.zeros(positions.shape, np.int32)
        for channel in range(3):
            distances += (pixels[..., channel] - self._colors[:, channel][positions]) ** 2
        return self._classes[positions], distances

    def entry_by_hue(self, color: Color) -> Color | None:
        """The colour of the map that a darker or paler one, such as (0, 128, 0) for (0, 255, 0), stands for.

        It is within 15 degrees of hue; the colours of all other classes are greys or 45 degrees away, so that
        there is no doubt. None where there is no such colour.
        """
        hue = _hue(color)
        if hue is None:
            return None
        away = [
            (min(abs(hue - other), 360 - abs(hue - other)), entry, index)
            for entry, index in self._read
            if (other := _hue(entry)) is not None
        ]
        nearest = min(away, default=None)
        if nearest is None or nearest[0] > _SAME_HUE or nearest[1] == self.ignore:
            return None
        others = [distance for distance, _, index in away if index != nearest[2]]
        return nearest[1] if min(others, default=360) >= _OTHER_HUE else None

    def colors(self, mask: np.ndarray) -> np.ndarray:
        """Colours of class indices, uint8 array `(H, W, 3)`.

        Raises:
            MaskError: if an index has no colour.
        """
        self.check_indices(mask)
        return self.file_palette[mask]

    @property
    def file_palette(self) -> np.ndarray:
        """Colour of each stored value, uint8 `(n, 3)`: those of the classes, and that of `IGNORED` if any."""
        if self.ignore is None:
            return self.palette
        palette = np.zeros((IGNORED + 1, 3), np.uint8)
        palette[: self.num_classes], palette[IGNORED] = self.palette, self.ignore
        return palette

    def is_index(self, values: np.ndarray) -> np.ndarray:
        """Which values are a class index or, where there are ignored pixels, `IGNORED`; bool."""
        known = values < self.num_classes
        return known if self.ignore is None else known | (values == IGNORED)

    def _check(self) -> None:
        key = RGB_MAP
        if not self.colors_to_class:
            raise ConfigError(f"{key} is empty. Expected a class index for each colour, e.g. (0, 0, 0): 0.")
        for color, index in self.colors_to_class.items():
            if len(color) != 3 or not all(0 <= value <= 255 for value in color):
                raise ConfigError(f"{key}: {color} is not a colour. Expected three values from 0 to 255.")
            if not 0 <= index <= 255:
                raise ConfigError(f"{key}: class index {index} of {color} is not in 0 to 255.")
        if self.ignore is not None:
            self._check_ignore()
        missing = sorted(
            set(range(max(self.colors_to_class.values()) + 1)) - set(self.colors_to_class.values())
        )
        if missing:
            raise ConfigError(
                f"{key}: no colour for class {', '.join(map(str, missing))}. Count from 0, no gaps."
            )

    def _check_ignore(self) -> None:
        key = "[mask] ignore"
        if len(self.ignore or ()) != 3 or not all(0 <= value <= 255 for value in self.ignore or ()):
            raise ConfigError(f"{key}: {self.ignore} is not a colour. Expected three values from 0 to 255.")
        if self.ignore in self.colors_to_class:
            raise ConfigError(
                f"{key} = {self.ignore} is the colour of class {self.colors_to_class[self.ignore]} in [mask] "
                "rgb_map. Give ignored pixels a colour of their own, or take it out of rgb_map."
            )
        if max(self.colors_to_class.values()) >= IGNORED:
            raise ConfigError(f"{key} needs class index {IGNORED} for itself: have fewer classes.")

    def check_indices(self, mask: np.ndarray) -> None:
        """Raise MaskError if the mask holds a class that has no colour."""
        if mask.size and int(mask.max()) >= self.num_classes and not self.is_index(mask).all():
            raise MaskError(
                f"the mask holds class {int(mask.max())}, but {RGB_MAP} has classes 0 to "
                f"{self.num_classes - 1} only."
            )

    def _nearest(self, pixels: np.ndarray) -> np.ndarray:
        """Position of the nearest colour for pixels `(N, 3)`."""
        # |p - c|^2 less |p|^2, which is the same for all colours; float32 is exact, all terms are below 2^24.
        colors = self._colors.astype(np.float32)
        scores = (colors**2).sum(axis=1)[:, None] - 2 * (colors @ pixels.T.astype(np.float32))
        return scores.argmin(axis=0).astype(np.uint16)

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
        return np.where(lowest == highest, lowest, _UNDECIDED).astype(np.uint16).ravel()

    def _positions(self, rgb: np.ndarray) -> np.ndarray:
        """Position of the nearest colour for each pixel of `(H, W, 3)` or grey `(H, W)`."""
        if rgb.ndim == 2:
            return self._grey_positions[rgb]
        if rgb.size < _SMALL:
            return self._nearest(rgb.reshape(-1, 3)).reshape(rgb.shape[:2])
        cells = (rgb >> 3).astype(np.uint16)
        positions = self._nearest_by_cell[cells[..., 0] << 10 | cells[..., 1] << 5 | cells[..., 2]]
        undecided = positions == _UNDECIDED
        if undecided.any():
            positions[undecided] = self._nearest(rgb[undecided])
        return positions


def _hue(color: Color) -> float | None:
    """Degrees; None for greys and for what is nearly black."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in color))
    return None if saturation < _COLOURED or value * 255 < _BRIGHT else 360 * hue


def parse_rgb_map(text: str) -> ColorMap:
    """Colours of the classes from text, as configurations write them.

    Args:
        text: A literal such as `{(0, 0, 0): 0, (255, 255, 255): 1}`, or `#000000=0,#ffffff=1`.

    Raises:
        ConfigError: if it is neither.
    """
    from pydantic import ValidationError

    from flexunet.config.model_sections import MaskSection

    try:
        if text.strip().startswith("{"):
            values = ast.literal_eval(text)
        else:
            values = {
                color.strip(): int(label)
                for color, label in (part.rsplit("=", 1) for part in text.split(","))
            }
        colors = MaskSection(rgb_map=values).rgb_map
    except (ValueError, SyntaxError, ValidationError) as error:
        raise ConfigError(
            f"{RGB_MAP_OPTION} {text!r} is not a colour map. Expected a class index for each colour, e.g. "
            "'{(0, 0, 0): 0, (255, 255, 255): 1}' or '#000000=0,#ffffff=1'."
        ) from error
    try:
        return ColorMap(colors)
    except ConfigError as error:
        raise ConfigError(str(error).replace(RGB_MAP, RGB_MAP_OPTION)) from error


def as_grey_if_grey(rgb: np.ndarray) -> np.ndarray:
    """`(H, W)` if the picture is grey, as most mask files are though stored in colour; else `(H, W, 3)`."""
    if rgb.dtype != np.uint8 or rgb.ndim not in (2, 3) or (rgb.ndim == 3 and rgb.shape[2] not in (1, 3)):
        raise MaskError(f"expected 8-bit colours H x W x 3, found {rgb.dtype} {rgb.shape}.")
    if rgb.ndim == 2:
        return rgb
    red = rgb[..., 0]
    if rgb.shape[2] == 1 or ((red == rgb[..., 1]).all() and (red == rgb[..., 2]).all()):
        return np.ascontiguousarray(red)
    return rgb
