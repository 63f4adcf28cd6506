"""Images larger than the model, tile by tile as published: side by side, each with a margin that is cut off.

Knows no model: whatever turns tiles into probabilities is handed in. A tile sees `overlap` pixels more than
its box on every side where the image goes on that far, and nothing of the margin is kept. Boxes at the right
and lower edge run past the image; what lies there is black.

The published system cuts the margins by the size of the model instead of that of the box, which leaves black
gaps where the model is the smaller of the two. Here no pixel is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from flexunet.errors import ShapeError
from flexunet.inference.predict.tiling import Grid, check_overlap, in_batches


def boxes_over(height: int, width: int, size: int) -> Grid:
    """Boxes side by side from the top left, the last ones as far over the edge as it takes."""
    tops, lefts = tuple(range(0, height, size)), tuple(range(0, width, size))
    return Grid(tops[-1] + size, lefts[-1] + size, size, tops, lefts)


def predict_pasted(
    image: np.ndarray,
    predict: Callable[[list[np.ndarray]], Iterable[np.ndarray]],
    *,
    size: int,
    overlap: int,
    batch_size: int = 4,
    choose: Callable[[Grid], np.ndarray] | None = None,
    background: np.ndarray | None = None,
) -> np.ndarray:
    """Predict an image in tiles and paste them side by side.

    Args:
        image: `(H, W, C)`, any size.
        predict: From tiles `(h, w, C)`, whose sizes differ by their margins, to probabilities
            `(h, w, channels)` of each.
        size: Side of a box.
        overlap: Pixels that a tile sees beyond its box.
        batch_size: Tiles predicted at a time.
        choose: Which tiles are predicted at all, bool `(rows, columns)`; none: every tile.
        background: What the others hold at every pixel, `(channels,)`.

    Returns:
        Float32 probabilities `(H, W, channels)`.

    Raises:
        ShapeError: if the overlap is not smaller than the tile.
    """
    check_overlap(size, overlap)
    height, width = image.shape[:2]
    grid = boxes_over(height, width, size)
    chosen = np.ones(grid.shape, bool) if choose is None else choose(grid)
    pasted: np.ndarray | None = None
    if background is not None:
        pasted = np.tile(background.astype(np.float32), (height, width, 1))
    for batch in in_batches(np.argwhere(chosen).tolist(), batch_size):
        boxes = [grid.box(*place) for place in batch]
        spans = [
            (_with_margin(rows, height, overlap), _with_margin(columns, width, overlap))
            for rows, columns in boxes
        ]
        tiles = [_cut(image, *span) for span in spans]
        for (rows, columns), (seen_rows, seen_columns), found in zip(
            boxes, spans, predict(tiles), strict=True
        ):
            if pasted is None:
                pasted = np.zeros((height, width, found.shape[-1]), np.float32)
            kept = pasted[rows, columns]
            top, left = rows.start - seen_rows.start, columns.start - seen_columns.start
            kept[:] = found[top : top + kept.shape[0], left : left + kept.shape[1]]
    if pasted is None:
        raise ShapeError("no tile was chosen, and the class of the other tiles is unknown")
    return pasted


def _with_margin(box: slice, length: int, overlap: int) -> slice:
    """A box along one axis with its margins: on either side the whole overlap, or nothing."""
    before = overlap if box.start >= overlap else 0
    after = overlap if box.stop + overlap <= length else 0
    return slice(box.start - before, box.stop + after)


def _cut(image: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """A part of an image, black where it lies beyond."""
    part = image[rows, columns]
    missing = rows.stop - rows.start - part.shape[0], columns.stop - columns.start - part.shape[1]
    return np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0))) if any(missing) else part
