"""Whether the classes are regions that every film has, such as tissues, and no lesions to be found."""

from __future__ import annotations

import numpy as np

_LEAST_SHARE = 0.5
SENTENCE = (
    "Every class is in every image, and together they cover more than half of the pixels: they are regions "
    "of the film, not lesions to be found. What counts lesions (sensitivity, FROC, false positives) counts "
    "connected parts of them, crumbs at their edges too, and says little here."
)


def are_regions(truth: np.ndarray) -> bool:
    """Whether the classes above background are regions of the film.

    They are where there are several, each in every image, and together they cover more than half of all
    pixels. Lesions of two kinds do not lie in every film; the parts of a tumour may, and leave most of the
    film free. Of a single class this cannot be told: a set may hold films with a lesion alone.

    Args:
        truth: True pixels of each class, background first, `(images, classes)`.
    """
    foreground = truth[:, 1:]
    several = foreground.shape[1] > 1 and len(truth) > 0
    return bool(several and foreground.all() and foreground.sum() > _LEAST_SHARE * truth.sum())
