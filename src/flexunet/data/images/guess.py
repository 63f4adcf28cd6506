"""Guess the colours of the masks of a data set that nobody described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import RGB_MAP_OPTION, Color, ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.colors import FAR
from flexunet.data.images.masks.reader import MaskReader, sample_of
from flexunet.errors import ImageError

_MOST_CLASSES = 16
_NOTABLE = 0.0005  # share of a mask's pixels from which a colour counts


def guess_reader(masks: Sequence[Path], also: Sequence[Path] = ()) -> tuple[MaskReader, str]:
    """How masks are read whose colours nobody gave, and a sentence on what was guessed.

    Args:
        masks: The mask files.
        also: As in `guess_colors`.

    Returns:
        The reader, and the sentence; "" where the masks are taken for black and white.
    """
    color_map, guessed = guess_colors(masks, also)
    colors = ", ".join(f"{color}: {index}" for color, index in color_map.colors_to_class.items())
    note = f"the colours of the classes were guessed from the masks: {colors}." if guessed else ""
    return MaskReader(color_map, setting=RGB_MAP_OPTION), note


def guess_colors(masks: Sequence[Path], also: Sequence[Path] = ()) -> tuple[ColorMap, bool]:
    """Colour map of mask files, and whether it was guessed.

    Black and white unless the masks of a sample consist of a few other colours exactly, each the same in many
    masks; then these, darkest first.

    Args:
        masks: The mask files.
        also: Predictions of them: they confirm a colour that few of the masks have, and bring none of
            their own.
    """
    binary = ColorMap.binary()
    counts, looked = _count_colors(masks)
    confirmed, _ = _count_colors(also)
    common = sorted(
        color for color, count in counts.items() if count + confirmed[color] >= max(2, 0.2 * looked)
    )
    far = [c for c in common if min(_distance(c, (0, 0, 0)), _distance(c, (255, 255, 255))) > FAR]
    indices = all(max(color) < _MOST_CLASSES for color in counts)  # class indices, not colours
    if not far or len(common) > _MOST_CLASSES or indices or not looked:
        if indices and looked and (highest := max(max(color) for color in counts)) > 1:
            return ColorMap({(i, i, i): i for i in range(highest + 1)}), True
        return binary, False
    ordered = sorted(common, key=lambda color: (sum(color), color))
    return ColorMap({color: index for index, color in enumerate(ordered)}), True


def _count_colors(masks: Sequence[Path]) -> tuple[Counter[Color], int]:
    """In how many masks of a sample each notable colour is, and how many were looked at."""
    counts: Counter[Color] = Counter()
    looked = 0
    for path in sample_of(masks):
        if path.suffix.lower() == ".npz":
            continue
        try:
            picture = read_image(path, 3)
        except ImageError:
            continue
        if picture.dtype == np.uint8:
            looked += 1
            counts.update(_notable_colors(picture))
    return counts, looked


def _notable_colors(picture: np.ndarray) -> list[Color]:
    red, green, blue = np.moveaxis(picture.astype(np.uint32), 2, 0)
    packed, pixels = np.unique(red << 16 | green << 8 | blue, return_counts=True)
    chosen = packed[pixels > _NOTABLE * pixels.sum()].tolist()
    return [(value >> 16, value >> 8 & 255, value & 255) for value in chosen]


def _distance(first: Color, second: Color) -> float:
    return float(np.linalg.norm(np.subtract(first, second)))
