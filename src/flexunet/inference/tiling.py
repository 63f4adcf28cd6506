"""Images larger than the model, tile by tile: overlapping boxes, blended by a Gaussian window.

Knows no model: whatever turns tiles into probabilities is handed in. The published system pastes tiles
side by side and shows their seams; here every pixel is the weighted mean of the tiles that see it, and a
tile counts most at its centre, where it saw the most surroundings (the scheme of nnU-Net, Isensee et al.
2021, Nat Methods 18, 203-211).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from flexunet.errors import ShapeError


@dataclass(frozen=True)
class Tile:
    """A box of an image, in pixels."""

    top: int
    left: int
    size: int


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
    if not 0 <= overlap < size:
        raise ShapeError(
            f"tiles of {size} pixels cannot overlap by {overlap}: choose [tiledinfer] overlapping from 0 to "
            f"{size - 1}"
        )
    if length <= size:
        return [0]
    steps = int(np.ceil((length - size) / (size - overlap)))
    return [int(start) for start in np.linspace(0, length - size, steps + 1).round()]


def tiles_of(height: int, width: int, size: int, overlap: int) -> list[Tile]:
    """The tiles that cover an image, row by row."""
    return [
        Tile(top, left, size)
        for top in tile_starts(height, size, overlap)
        for left in tile_starts(width, size, overlap)
    ]


def gaussian_window(size: int) -> np.ndarray:
    """Weights of a tile's pixels, float32 `(size, size)`: 1 at the centre, sigma an eighth of the size."""
    offsets = np.arange(size) - (size - 1) / 2
    profile = np.exp(-0.5 * (offsets / (size / 8)) ** 2)
    # Far corners would underflow and divide zero by zero where a single tile covers them.
    return np.maximum(np.outer(profile, profile), 1e-4).astype(np.float32)


def predict_tiled(
    image: np.ndarray,
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    size: int,
    overlap: int,
    batch_size: int = 4,
) -> np.ndarray:
    """Predict an image in overlapping tiles and blend them.

    Args:
        image: `(H, W, C)`, any size; an image smaller than a tile is padded by its edge pixels.
        predict: From tiles `(n, size, size, C)` to probabilities `(n, size, size, classes)`.
        size: Side of a tile.
        overlap: Pixels that neighbours share at least.
        batch_size: Tiles predicted at a time.

    Returns:
        Float32 probabilities `(H, W, classes)`.

    Raises:
        ShapeError: if the overlap is not smaller than the tile.
    """
    height, width = image.shape[:2]
    padding = ((0, max(0, size - height)), (0, max(0, size - width)), (0, 0))
    padded = np.pad(image, padding, mode="edge") if any(map(sum, padding)) else image
    window = gaussian_window(size)[..., np.newaxis]
    weights = np.zeros((*padded.shape[:2], 1), np.float32)
    blended: np.ndarray | None = None
    for batch in _batches(tiles_of(padded.shape[0], padded.shape[1], size, overlap), batch_size):
        views = [padded[t.top : t.top + size, t.left : t.left + size] for t in batch]
        for tile, probabilities in zip(batch, predict(np.stack(views)), strict=True):
            if blended is None:
                blended = np.zeros((*padded.shape[:2], probabilities.shape[-1]), np.float32)
            rows, columns = slice(tile.top, tile.top + size), slice(tile.left, tile.left + size)
            blended[rows, columns] += probabilities * window
            weights[rows, columns] += window
    assert blended is not None  # noqa: S101 - every image has at least one tile
    return (blended / weights)[:height, :width]


def _batches(tiles: list[Tile], batch_size: int) -> Iterator[list[Tile]]:
    for start in range(0, len(tiles), batch_size):
        yield tiles[start : start + batch_size]
