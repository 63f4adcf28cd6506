"""Guess the colours of the masks of a data set that nobody described."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexunet.data.color_map import ColorMap
from flexunet.data.images import read_image
from flexunet.errors import ImageError

_LOOKED_AT = 24
_MOST_CLASSES = 16
_NOTABLE = 0.0005  # share of a mask's pixels from which a colour counts
_NEAR = 48


def guess_colors(masks: Sequence[Path]) -> tuple[ColorMap, bool]:
    """Colour map of mask files, and whether it was guessed.

    Black and white unless the masks of a sample consist of a few other colours exactly, each the same in many
    masks; then these, darkest first.
    """
    binary = ColorMap.binary()
    step = max(1, len(masks) // _LOOKED_AT)
    counts: dict[tuple[int, int, int], int] = {}
    looked = 0
    for path in masks[::step][:_LOOKED_AT]:
        if path.suffix.lower() == ".npz":
            continue
        try:
            picture = read_image(path, 3)
        except ImageError:
            continue
        if picture.dtype != np.uint8:
            continue
        looked += 1
        colors, pixels = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
        for color in colors[pixels > _NOTABLE * pixels.sum()]:
            key = (int(color[0]), int(color[1]), int(color[2]))
            counts[key] = counts.get(key, 0) + 1
    common = sorted(color for color, count in counts.items() if count >= max(2, 0.2 * looked))
    far = [c for c in common if min(_distance(c, (0, 0, 0)), _distance(c, (255, 255, 255))) > _NEAR]
    indices = all(max(color) < _MOST_CLASSES for color in counts)  # class indices, not colours
    if not far or len(common) > _MOST_CLASSES or indices or not looked:
        if indices and looked and (highest := max(max(color) for color in counts)) > 1:
            return ColorMap({(i, i, i): i for i in range(highest + 1)}), True
        return binary, False
    ordered = sorted(common, key=lambda color: (sum(color), color))
    return ColorMap({color: index for index, color in enumerate(ordered)}), True


def _distance(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    return float(np.linalg.norm(np.subtract(first, second)))
