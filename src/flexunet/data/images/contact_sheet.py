"""Many small pictures on one sheet, to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.overlay import draw_overlay, drawn_letters
from flexunet.data.images.pixels import as_picture, to_model_range

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


def spread(count: int, most: int) -> list[int]:
    """Positions of at most `most` of `count` things, evenly spread, first and last included."""
    return (
        sorted({round(position) for position in np.linspace(0, count - 1, min(count, most))}) if count else []
    )


def overlays(
    files: Sequence[tuple[str, Path, Path | None]], masks: MaskReader, cell: int = 192
) -> Iterator[tuple[str, np.ndarray]]:
    """Read images and masks one at a time and draw the outlines at the size of a cell.

    Args:
        files: Title, image file, mask file (or None) of each picture.
        masks: How masks are read.
        cell: Longer side of the pictures, pixels.
    """
    for title, image_path, mask_path in files:
        image = as_picture(read_image(image_path, channels=None, grey_range="auto"))
        small = shrink_picture(image, cell)
        if mask_path is None:
            yield title, small
            continue
        mask = masks.lenient.read(mask_path)
        size = small.shape[1], small.shape[0]
        share = [
            cv2.resize((mask == value) * np.float32(1), size, interpolation=cv2.INTER_AREA)
            for value in range(1, masks.color_map.num_classes)
        ]
        planes = np.stack([np.full(small.shape[:2], 0.25, np.float32), *share])
        yield title, draw_overlay(small, planes.argmax(axis=0).astype(np.uint8), thickness=1)


def shrink_picture(image: np.ndarray, size: int) -> np.ndarray:
    """Scale a picture so that its longer side has `size` pixels, uint8 `(H, W, C)`."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    values = np.clip(to_model_range(image), 0, 255)
    small = cv2.resize(values, wanted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    return np.rint(small).astype(np.uint8).reshape(wanted[1], wanted[0], -1)


def _cell(title: str, picture: np.ndarray, size: int) -> np.ndarray:
    """One picture with its title below, on paper."""
    canvas = np.full((size + _LINE + _GAP, size + _GAP, 3), _PAPER, np.uint8)
    small = shrink_picture(picture, size)
    height, width = small.shape[:2]
    left = (size - width) // 2
    canvas[:height, left : left + width] = small
    letters = max(4, size // 7)
    plain = drawn_letters(title)
    text = plain if len(plain) <= letters else "..." + plain[3 - letters :]
    cv2.putText(canvas, text, (2, size + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (225, 225, 225), 1, cv2.LINE_AA)
    return canvas
