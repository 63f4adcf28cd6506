"""Losses in which each lesion counts the same, whatever its size: by connected components.

Every function takes one-hot truth and probabilities `(N, H, W, classes)` and the cells of the components
(`batches.cells`), float32 `(N, H, W, F)` with F foreground classes, and returns one value an image, `(N,)`.
Where no cells are given, as in a metric, the image is one cell.
Each class is scored against the rest; the value is the mean over its cells, and over the classes.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from flexunet.training.batches.cells import MOST_CELLS
from flexunet.training.objectives.rows import loss
from flexunet.training.objectives.tensors import entropy_by_pixel, float32, foreground

_SMOOTH = 1.0  # one pixel


@loss(needs_cells=True, ignored="zeroed")
def component_dice(y_true: Any, y_pred: Any, cells: Any = None, smooth: float = _SMOOTH) -> Any:
    """One minus soft Dice inside the cell of each component, `(N,)`.

    An image without the class is one cell, in which every probability is a false alarm.

    Source: Jaus, A. et al. (2025), CC-DiceCE, arXiv:2511.17146; of several classes as arXiv:2604.24276.
    """
    truth, guess = float32(foreground(y_true), foreground(y_pred))
    overlap, in_truth, in_guess, pixels = _sums([truth * guess, truth, guess, ops.ones_like(truth)], cells)
    distance = 1.0 - (2.0 * overlap + smooth) / (in_truth + in_guess + smooth)
    return _mean_over_cells(distance, pixels)


@loss(needs_cells=True, ignored="cells")
def component_crossentropy(y_true: Any, y_pred: Any, cells: Any = None) -> Any:
    """Mean cross-entropy inside the cell of each component, `(N,)`: small cells weigh as much as large ones.

    Source: as `component_dice`, with which it makes CC-DiceCE.
    """
    ones = float32(ops.ones_like(foreground(y_true)), y_pred)[0]
    total, pixels = _sums([entropy_by_pixel(y_true, y_pred)[..., None] * ones, ones], cells)
    return _mean_over_cells(total / ops.maximum(pixels, 1.0), pixels)


@loss(needs_cells=True, ignored="zeroed")
def blob_dice(y_true: Any, y_pred: Any, cells: Any = None, smooth: float = _SMOOTH) -> Any:
    """One minus soft Dice of each component in the whole image, the other components left out, `(N,)`.

    Source: Kofler, F. et al. (2023), blob loss, IPMI, arXiv:2205.08209.
    """
    truth, guess = float32(foreground(y_true), foreground(y_pred))
    hit = truth * guess
    overlap, in_truth, pixels = _sums([hit, truth, ops.ones_like(truth)], cells)
    # Of the guesses, those on other components count for them.
    guessed = ops.sum(guess, axis=(1, 2)) - ops.sum(hit, axis=(1, 2))
    distance = 1.0 - (2.0 * overlap + smooth) / (in_truth + guessed[:, None] + overlap + smooth)
    return _mean_over_cells(distance, pixels)


def _sums(values: list[Any], cells: Any) -> list[Any]:
    """Sum of each of some maps `(N, H, W, F)` over the pixels of each cell, `(N, cells, F)`."""
    cells = ops.ones_like(values[0]) if cells is None else cells
    inside = ops.one_hot(ops.cast(cells, "int32") - 1, MOST_CELLS, dtype="float32")
    return [ops.einsum("nhwfk,nhwf->nkf", inside, value) for value in values]


def _mean_over_cells(values: Any, pixels: Any) -> Any:
    """Mean over the cells that there are, then over the classes."""
    exists = ops.cast(pixels > 0, "float32")
    by_class = ops.sum(values * exists, axis=1) / ops.maximum(ops.sum(exists, axis=1), 1.0)
    return ops.mean(by_class, axis=-1)
