"""Each lesion in its own cell: the pixels that are nearer to it than to any other lesion of its class.

A large lesion that is outlined well hides small ones that are missed where one Dice is taken over all; in its
cell each lesion has a Dice of its own, and a false alarm costs the lesion next to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from flexunet.data.images.regions import Regions
from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import Values

_NEIGHBOURS = 8  # boundary pixels looked at for lesions that are equally near
_TIE = 1e-9


def component_dice(lesions: Regions, predicted: NDArray[np.bool_]) -> Values:
    """Dice of each lesion within its cell.

    A pixel as near to two lesions lies in the cells of both, so that a mirrored image scores alike.

    Args:
        lesions: The lesions of one class.
        predicted: Predicted pixels of the class, bool `(H, W)`.

    Returns:
        Float64 `(n,)`; 0 where no pixel of the lesion was predicted.

    Source: Jaus et al. (2024), Every Component Counts, arXiv:2410.18684.
    """
    count = len(lesions)
    numbers = lesions.labels[predicted]
    common = np.bincount(numbers, minlength=count + 1)[1:]
    false = np.zeros(count, np.int64)
    outside = np.argwhere(predicted & (lesions.labels == 0))
    if count == 1:
        false[0] = len(outside)
    elif count and len(outside):
        false = _nearest(lesions, outside)
    return ratio(2 * common, lesions.areas + common + false)


def _nearest(lesions: Regions, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of how many pixels, `(m, 2)`, each lesion is the nearest one."""
    places = np.argwhere(lesions.labels > 0)
    owner = lesions.labels[tuple(places.T)] - 1
    near = min(_NEIGHBOURS, len(places))
    distances, found = cKDTree(places).query(pixels, near)
    distances, found = distances.reshape(-1, near), found.reshape(-1, near)
    tied = distances <= distances[:, :1] + _TIE
    pairs = np.unique(np.stack([np.nonzero(tied)[0], owner[found[tied]]]), axis=1)
    return np.bincount(pairs[1], minlength=len(lesions)).astype(np.int64)
