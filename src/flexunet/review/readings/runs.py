"""Labels of a box as runs: value, length, value, length, ..., row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.errors import ShapeError


@dataclass(frozen=True)
class Box:
    """A rectangle of an image, in pixels of its full size.

    Attributes:
        x: First column.
        y: First row.
        width: Columns.
        height: Rows.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index of an array `(H, W)`."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def check(self, shape: tuple[int, int]) -> None:
        """Raise ShapeError unless the box lies in an image of this height and width."""
        height, width = shape
        fits = 0 <= self.x < self.x + self.width <= width and 0 <= self.y < self.y + self.height <= height
        if not fits:
            raise ShapeError(
                f"expected a box inside {width} x {height} pixels, found {self.width} x {self.height} at "
                f"{self.x}, {self.y}."
            )

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Box:
        """The box of a whole image."""
        return cls(0, 0, shape[1], shape[0])


def decode_runs(runs: Sequence[int], box: Box, colors: ColorMap) -> np.ndarray:
    """Labels of a box, uint8 `(height, width)`.

    Raises:
        ShapeError: if the lengths do not fill the box, or a value is neither a class nor `IGNORED`.
    """
    if len(runs) % 2:
        raise ShapeError(f"expected pairs of value and length, found {len(runs)} numbers.")
    try:
        pairs = np.asarray(runs, np.int64).reshape(-1, 2)
    except (OverflowError, ValueError) as error:
        raise ShapeError("expected whole numbers as values and lengths.") from error
    values, lengths = pairs[:, 0], pairs[:, 1]
    area = box.width * box.height
    if (lengths < 1).any() or (lengths > area).any() or int(lengths.sum()) != area:
        raise ShapeError(f"expected lengths of 1 or more that sum to the {area} pixels of the box.")
    if (values < 0).any() or not colors.is_index(values).all():
        raise ShapeError(
            f"expected labels from 0 to {colors.num_classes - 1}{f' or {IGNORED}' if colors.ignore else ''}, "
            f"found {values.min()} to {values.max()}."
        )
    return np.repeat(values.astype(np.uint8), lengths).reshape(box.height, box.width)


def encode_runs(labels: np.ndarray) -> list[int]:
    """Runs of labels `(height, width)`; what `decode_runs` reads."""
    row = labels.ravel()
    if not row.size:
        return []
    starts = np.concatenate([[0], np.flatnonzero(row[1:] != row[:-1]) + 1])
    lengths = np.diff(np.append(starts, row.size))
    return np.stack([row[starts].astype(np.int64), lengths], axis=1).ravel().tolist()


def changed_box(before: np.ndarray, after: np.ndarray) -> Box | None:
    """The smallest box that holds all pixels in which two masks differ; None where they are alike."""
    rows, columns = np.nonzero((before != after).any(axis=1))[0], np.nonzero((before != after).any(axis=0))[0]
    if not len(rows):
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))
