"""Lesions that files give pixel by pixel, as run lengths of the whole film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexunet.data.annotations.shapes import Runs
from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.errors import MaskError


def runs_of(drawn: np.ndarray, left: int, top: int, width: int, height: int, label: str) -> Runs:
    """Pixels drawn in a part of a film, as run lengths; what lies beyond the film is cut off.

    Args:
        drawn: Bool array of the part.
        left: Column of the film at which the part begins; may be negative.
        top: Row at which it begins.
        width: Pixels of the film.
        height: Pixels of the film.
        label: What is drawn.

    Raises:
        MaskError: if a film cannot be as large.
    """
    if width * height > MAX_PIXELS:
        raise MaskError(f"a mask of a film of {width} x {height} pixels cannot be. Correct its size.")
    frame = np.zeros((height, width), bool)
    rows, columns = (
        slice(max(0, start), max(0, start + size))
        for start, size in zip((top, left), drawn.shape, strict=True)
    )
    inside = drawn[max(0, -top) :, max(0, -left) :]
    place = frame[rows, columns]
    place[...] = inside[: place.shape[0], : place.shape[1]]
    values = frame.T.ravel()  # column by column, as run lengths go
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    counts = np.diff([0, *changes, values.size]).tolist()
    return Runs(tuple([0, *counts] if values[0] else counts), width, height, label)


def unroll(counts: Sequence[int], width: int, height: int, where: str) -> np.ndarray:
    """A mask of run lengths that go row by row, background first, bool `(height, width)`.

    Raises:
        MaskError: if they do not fill it; `where` is their place.
    """
    if not 0 < width * height <= MAX_PIXELS or min(width, height) < 1:
        raise MaskError(f"{where}: a mask of {width} x {height} pixels cannot be.")
    if min(counts, default=0) < 0 or sum(counts) > width * height:
        raise MaskError(
            f"{where}: the run lengths sum to {sum(counts)}, expected {width} x {height} = {width * height}."
        )
    values = np.zeros(width * height, bool)
    drawn = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    values[: len(drawn)] = drawn  # what is left out at the end is background
    return values.reshape(height, width)
