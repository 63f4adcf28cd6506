"""Images larger than the model, tile by tile: overlapping boxes, blended by a window.

Knows no model: whatever turns tiles into probabilities is handed in. Every pixel is the weighted mean of the
tiles that see it, and a tile counts most at its centre, where it saw the most surroundings (the scheme of
nnU-Net, Isensee et al. 2021, Nat Methods 18, 203-211).

The window is a product of a profile down and one across, and so is the sum of all windows over the image. The
weights are therefore divided by their sum before they are used, tile by tile, and of all that has the size of
the image only the result is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from flexunet.errors import ShapeError

_FLOOR = 1e-2  # of a profile: far corners would underflow and divide zero by zero where one tile covers them


@dataclass(frozen=True)
class Grid:
    """Where the tiles of an image lie.

    Attributes:
        height: Pixels of the image, at least one tile.
        width: Pixels of the image, at least one tile.
        size: Side of a tile.
        tops: First row of each row of tiles.
        lefts: First column of each column of tiles.
    """

    height: int
    width: int
    size: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @classmethod
    def over(cls, height: int, width: int, size: int, overlap: int) -> Grid:
        """The grid that covers an image; one smaller than a tile counts as a tile.

        Raises:
            ShapeError: if the overlap is not smaller than the tile.
        """
        return cls(
            max(height, size),
            max(width, size),
            size,
            tuple(tile_starts(height, size, overlap)),
            tuple(tile_starts(width, size, overlap)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return len(self.tops), len(self.lefts)

    def box(self, row: int, column: int) -> tuple[slice, slice]:
        """Rows and columns of the image that a tile covers."""
        top, left = self.tops[row], self.lefts[column]
        return slice(top, top + self.size), slice(left, left + self.size)


def tile_starts(length: int, size: int, overlap: int) -> list[int]:
    """Where the tiles begin along one axis: evenly spread, overlapping by `overlap` pixels or a little more.

    Args:
        length: Length of the axis.
        size: Length of a tile.
        overlap: Pixels that two neighbours share at least.

    Returns:
        Starts, the first 0 and the last `length - size`; only 0 when the axis is shorter than a tile.

    Raises:
        ShapeError: if the overlap leaves no step from one tile to the next.
    """
    check_overlap(size, overlap)
    if length <= size:
        return [0]
    steps = int(np.ceil((length - size) / (size - overlap)))
    return [int(start) for start in np.linspace(0, length - size, steps + 1).round()]


def check_overlap(size: int, overlap: int) -> None:
    """Refuse tiles that overlap whole.

    Raises:
        ShapeError: if the overlap leaves no step from one tile to the next.
    """
    if not 0 <= overlap < size:
        raise ShapeError(
            f"tiles of {size} pixels cannot overlap by {overlap}: choose [tiledinfer] overlapping from 0 to "
            f"{size - 1}"
        )


def gaussian_profile(size: int) -> np.ndarray:
    """Weights of a tile's pixels along one axis, float64 `(size,)`: sigma an eighth of the size."""
    offsets = np.arange(size) - (size - 1) / 2
    return np.maximum(np.exp(-0.5 * (offsets / (size / 8)) ** 2), _FLOOR)


def blending_weights(starts: tuple[int, ...], length: int, size: int) -> np.ndarray:
    """Share that each tile has in each of its pixels along one axis, float32 `(tiles, size)`.

    The shares of all tiles add up to 1 at every pixel.
    """
    profile = gaussian_profile(size)
    total = np.zeros(length)
    for start in starts:
        total[start : start + size] += profile
    return np.stack([profile / total[start : start + size] for start in starts]).astype(np.float32)


def predict_tiled(
    image: np.ndarray,
    predict: Callable[[np.ndarray], Iterable[np.ndarray]],
    *,
    size: int,
    overlap: int,
    batch_size: int = 4,
    choose: Callable[[Grid], np.ndarray] | None = None,
    background: np.ndarray | None = None,
) -> np.ndarray:
    """Predict an image in overlapping tiles and blend them.

    Args:
        image: `(H, W, C)`, any size; an image smaller than a tile is padded by its edge pixels.
        predict: From tiles `(n, size, size, C)` to probabilities `(size, size, channels)` of each.
        size: Side of a tile.
        overlap: Pixels that neighbours share at least.
        batch_size: Tiles predicted at a time.
        choose: Which tiles are predicted at all, bool `(rows, columns)`; none: every tile.
        background: What the others hold at every pixel, `(channels,)`.

    Returns:
        Float32 probabilities `(H, W, channels)`.

    Raises:
        ShapeError: if the overlap is not smaller than the tile.
    """
    height, width = image.shape[:2]
    grid = Grid.over(height, width, size, overlap)
    padding = ((0, grid.height - height), (0, grid.width - width), (0, 0))
    padded = np.pad(image, padding, mode="edge") if any(map(sum, padding)) else image
    down = blending_weights(grid.tops, grid.height, size)
    across = blending_weights(grid.lefts, grid.width, size)
    chosen = np.ones(grid.shape, bool) if choose is None else choose(grid)
    blended: np.ndarray | None = None
    if background is not None:
        blended = np.zeros((grid.height, grid.width, len(background)), np.float32)
        for row, column in np.argwhere(~chosen).tolist():
            share = np.outer(down[row], across[column])[..., np.newaxis]
            blended[grid.box(row, column)] += share * background.astype(np.float32)
    for batch in in_batches(np.argwhere(chosen).tolist(), batch_size):
        tiles = np.stack([padded[grid.box(row, column)] for row, column in batch])
        for (row, column), probabilities in zip(batch, predict(tiles), strict=True):
            if blended is None:
                blended = np.zeros((grid.height, grid.width, probabilities.shape[-1]), np.float32)
            share = np.outer(down[row], across[column])[..., np.newaxis]
            blended[grid.box(row, column)] += probabilities * share
    if blended is None:
        raise ShapeError("no tile was chosen, and the class of the other tiles is unknown")
    return blended[:height, :width]


def in_batches(places: list[list[int]], batch_size: int) -> Iterator[list[list[int]]]:
    """The places of tiles, as many at a time as go through the model together."""
    for start in range(0, len(places), batch_size):
        yield places[start : start + batch_size]
