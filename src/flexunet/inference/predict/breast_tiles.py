"""Which tiles of a mammogram are worth a model call: not those of nothing but air.

Two thirds of a film may be air. A tile is left out only where it is dark and away from the breast; so on an
image that is no mammogram, bright structure keeps its tiles, and where no breast is found all tiles are kept.
"""

from __future__ import annotations

import cv2
import numpy as np

from flexunet.data.derive.breast import find_breast
from flexunet.errors import ImageError
from flexunet.inference.predict.tiling import Grid

# Share of the film's longer side by which the breast's outline may be off.
_MARGIN = 0.02
# Share of a tile that labels may cover and it still counts as air.
_LABELS = 0.25


def tiles_of_breast(image: np.ndarray, grid: Grid) -> np.ndarray:
    """The tiles that may show tissue.

    Args:
        image: Film, uint8, uint16 or float32 `(H, W, C)`, bright tissue on dark air.
        grid: Its tiles.

    Returns:
        Bool `(rows, columns)`.
    """
    try:
        breast = find_breast(image)
    except ImageError:
        return np.ones(grid.shape, bool)
    radius = max(1, round(_MARGIN * max(breast.outline.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = cv2.dilate(breast.outline, disc)
    across, down = breast.scale
    chosen = np.zeros(grid.shape, bool)
    for row, column in np.ndindex(grid.shape):
        rows, columns = grid.box(row, column)
        box = _reduced(rows, near.shape[0], down), _reduced(columns, near.shape[1], across)
        chosen[row, column] = near[box].any() or breast.objects[box].mean() > _LABELS
    return chosen


def _reduced(span: slice, length: int, scale: float) -> slice:
    """A span of the film in pixels of the reduced one, never empty."""
    first = min(int(span.start / scale), length - 1)
    return slice(first, max(first + 1, int(np.ceil(span.stop / scale))))
