"""Guess the colours of the masks of a data set that nobody described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import GUESSED, Color, ColorMap, as_grey_if_grey
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.colors import FAR, FLAT_AREA, flat_pixels
from flexunet.data.images.masks.reader import MaskReader, sample_of
from flexunet.errors import ImageError
from flexunet.progress import Progress, silent

_MOST_CLASSES = 16
_NOTABLE = 0.0005  # share of a mask's pixels from which a colour counts
_COMMON = 0.2  # share of the masks in which a colour is a class without a further look
_FEWEST = 2  # masks that a class is in
_LOSSY = (".jpg", ".jpeg", ".webp")  # flat areas there may be blocks of the compression
_THREADS = 4


@dataclass(frozen=True)
class _Counts:
    """In how many masks a colour is.

    Attributes:
        notable: Where it covers a notable share.
        flat: Where it fills an area, however small.
        looked: Masks looked at.
    """

    notable: Counter[Color]
    flat: Counter[Color]
    looked: int


def guess_reader(
    masks: Sequence[Path], also: Sequence[Path] = (), *, progress: Progress = silent
) -> tuple[MaskReader, str]:
    """How masks are read whose colours nobody gave, and a sentence on what was guessed.

    Args:
        masks: The mask files.
        also: As in `guess_colors`.
        progress: As in `guess_colors`.

    Returns:
        The reader, and the sentence; "" where the masks are taken for black and white.
    """
    color_map, guessed = guess_colors(masks, also, progress=progress)
    colors = ", ".join(f"{color}: {index}" for color, index in color_map.colors_to_class.items())
    note = f"the colours of the classes were guessed from the masks: {colors}." if guessed else ""
    return MaskReader(color_map, setting=GUESSED), note


def guess_colors(
    masks: Sequence[Path], also: Sequence[Path] = (), *, progress: Progress = silent
) -> tuple[ColorMap, bool]:
    """Colour map of mask files, and whether it was guessed.

    Black and white unless the masks consist of a few other colours exactly, each the same in many masks, or
    filling areas in two of them or more; then these, darkest first. A colour in one mask alone is no class.

    Args:
        masks: The mask files; all of a data set, so that no rare class is lost.
        also: Predictions of them: they confirm a colour that few of the masks have, and bring none of
            their own. Some of them are looked at.
        progress: Told how many masks are looked at.
    """
    binary = ColorMap.binary()
    found = _count_colors(masks, progress)
    confirmed = _count_colors(sample_of(also), silent).notable
    least = max(_FEWEST, _COMMON * found.looked)
    common = {color for color, count in found.notable.items() if count + confirmed[color] >= least}
    rare = {
        color
        for color, count in found.flat.items()
        if count >= _FEWEST and all(_distance(color, each) > FAR for each in common)
    }
    if len(common | rare) <= _MOST_CLASSES:  # else they are shades of a picture
        common |= rare
    far = [c for c in common if min(_distance(c, (0, 0, 0)), _distance(c, (255, 255, 255))) > FAR]
    indices = all(max(color) < _MOST_CLASSES for color in found.notable)  # class indices, not colours
    if not far or len(common) > _MOST_CLASSES or indices or not found.looked:
        if indices and found.looked:
            values = [max(color) for color in found.notable | found.flat]
            highest = max(value for value in values if value < _MOST_CLASSES)
            if highest > 1:
                return ColorMap({(i, i, i): i for i in range(highest + 1)}), True
        return binary, False
    ordered = sorted(common, key=lambda color: (sum(color), color))
    return ColorMap({color: index for index, color in enumerate(ordered)}), True


def _count_colors(masks: Sequence[Path], progress: Progress) -> _Counts:
    notable, flat, looked = Counter[Color](), Counter[Color](), 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, colors in enumerate(pool.map(_colors_of, masks)):
            progress("colours of masks", number + 1, len(masks))
            if colors is not None:
                looked += 1
                notable.update(colors[0])
                flat.update(colors[1])
    return _Counts(notable, flat, looked)


def _colors_of(path: Path) -> tuple[list[Color], list[Color]] | None:
    """The notable and the flat colours of a mask file; None of a file that has no colours."""
    if path.suffix.lower() == ".npz":
        return None
    try:
        picture = read_image(path, None)
    except ImageError:
        return None
    if picture.dtype != np.uint8 or picture.shape[2] not in (1, 3):
        return None
    picture = as_grey_if_grey(picture)
    values, pixels = _tally(picture, np.ones(picture.shape[:2], bool))
    notable = values[pixels > _NOTABLE * picture.shape[0] * picture.shape[1]]
    if path.suffix.lower() in _LOSSY:
        return _unpacked(notable), []
    values, pixels = _tally(picture, flat_pixels(picture, np.ones(picture.shape[:2], bool)))
    return _unpacked(notable), _unpacked(values[pixels >= FLAT_AREA])


def _tally(picture: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours of chosen pixels, packed into a number each, and how many pixels have them.

    Args:
        picture: uint8 `(H, W)` or `(H, W, 3)`.
        chosen: Which pixels; boolean `(H, W)`.
    """
    if picture.ndim == 2:
        counts = np.bincount(picture[chosen], minlength=256)
        values = np.flatnonzero(counts)
        return values * 0x010101, counts[values]
    pixels = picture[chosen].astype(np.uint32)
    packed = pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]
    # Masks have long runs of one colour: fewer numbers to sort.
    starts = np.flatnonzero(np.r_[True, packed[1:] != packed[:-1]]) if packed.size else np.zeros(0, int)
    values, places = np.unique(packed[starts], return_inverse=True)
    return values, np.bincount(places, np.diff(np.r_[starts, packed.size]), minlength=len(values))


def _unpacked(packed: np.ndarray) -> list[Color]:
    return [(value >> 16, value >> 8 & 255, value & 255) for value in packed.tolist()]


def _distance(first: Color, second: Color) -> float:
    return float(np.linalg.norm(np.subtract(first, second)))
