"""Many small pictures on one sheet, to be looked at."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from flexunet.data.images import to_model_range

_GAP = 4
_LINE = 16
_PAPER = 24


def contact_sheet(
    pictures: Iterable[tuple[str, np.ndarray]], *, columns: int = 8, cell: int = 192, rows: int | None = None
) -> np.ndarray:
    """Arrange titled pictures in rows; they are taken one at a time, so they need not fit into memory.

    Args:
        pictures: Title and picture: uint8, uint16 or float32 (0 to 255) arrays `(H, W)`, `(H, W, 1)` or
            `(H, W, 3)`, RGB.
        columns: Pictures in a row.
        cell: Room for each picture, pixels; proportions are kept.
        rows: Rows at most; all when left out.

    Returns:
        RGB picture, uint8 array.
    """
    cells = []
    for number, (title, picture) in enumerate(pictures):
        if rows is not None and number >= rows * columns:
            break
        cells.append(_cell(title, picture, cell))
    if not cells:
        cells = [_cell("nothing to show", np.zeros((1, 1), np.uint8), cell)]
    columns = min(columns, len(cells))
    count = -(-len(cells) // columns)
    cells += [np.full_like(cells[0], _PAPER)] * (count * columns - len(cells))
    grid = np.stack(cells).reshape(count, columns, *cells[0].shape)
    return np.ascontiguousarray(
        grid.swapaxes(1, 2).reshape(count * grid.shape[2], columns * grid.shape[3], 3)
    )


def _cell(title: str, picture: np.ndarray, size: int) -> np.ndarray:
    """One picture with its title below, on paper."""
    canvas = np.full((size + _LINE + _GAP, size + _GAP, 3), _PAPER, np.uint8)
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    values = np.clip(to_model_range(picture), 0, 255)
    small = cv2.resize(values, wanted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    small = np.rint(small).astype(np.uint8).reshape(wanted[1], wanted[0], -1)
    left = (size - wanted[0]) // 2
    canvas[: wanted[1], left : left + wanted[0]] = small
    letters = max(4, size // 7)
    text = title if len(title) <= letters else "…" + title[1 - letters :]
    text = text.encode("ascii", "replace").decode().replace("?", ".")
    cv2.putText(canvas, text, (2, size + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (225, 225, 225), 1, cv2.LINE_AA)
    return canvas
