"""The cell of each connected component: the pixels that are nearer to it than to any other of its class.

Losses of components need them; they follow from the mask alone, so batches bring them along.
"""

from __future__ import annotations

import cv2
import numpy as np

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored

# Components of a class beyond the largest ones have no cell of their own, but lie in that of a neighbour.
MOST_CELLS = 15
_WHOLE, _NOWHERE = 1, 0


def cells_of(masks: np.ndarray, num_classes: int) -> np.ndarray:
    """Number of the cell that each pixel lies in, for each foreground class.

    Args:
        masks: Class indices, uint8 `(N, H, W)`.
        num_classes: Channels of the model's output; with one, all that is not 0 is its foreground.

    Returns:
        Float32 `(N, H, W, F)` of numbers from 1 to at most `MOST_CELLS`, F the foreground classes; 1
        everywhere where an image lacks the class. Ignored pixels lie in no cell, 0.
    """
    labels = range(1, max(num_classes, 2))
    cells = np.full((*masks.shape, len(labels)), _WHOLE, np.float32)
    for image, whole in enumerate(masks):
        mask, ignored = without_ignored(whole) if num_classes <= IGNORED else (whole, None)
        for place, label in enumerate(labels):
            region = (mask > 0 if num_classes == 1 else mask == label).astype(np.uint8)
            if region.any():
                cells[image, ..., place] = _cells(region)
        if ignored is not None:
            cells[image][ignored] = _NOWHERE
    return cells


def _cells(region: np.ndarray) -> np.ndarray:
    """Cells of the 8-connected components of one region, `(H, W)`."""
    count, numbered, figures, _ = cv2.connectedComponentsWithStats(region, connectivity=8)
    if count - 1 > MOST_CELLS:
        order = np.argsort(figures[1:, cv2.CC_STAT_AREA], kind="stable")[::-1]
        region = np.isin(numbered, 1 + order[:MOST_CELLS]).astype(np.uint8)
    _, cells = cv2.distanceTransformWithLabels(
        1 - region, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return cells
