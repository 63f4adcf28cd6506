"""Scores that count lesions and predicted regions, the predicted masks taken as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.row import LesionScore


class LesionCounts(NamedTuple):
    """Counts of each image, arrays `(N,)`.

    Attributes:
        lesions: True lesions.
        found: Those of them that a predicted region matches.
        predicted: Predicted regions.
        false: Those of them that match no lesion.
        dice: Sum of the Dice of each lesion with its region, 0 where missed.
    """

    lesions: NDArray[np.int64]
    found: NDArray[np.int64]
    predicted: NDArray[np.int64]
    false: NDArray[np.int64]
    dice: NDArray[np.float64]

    @property
    def every_image(self) -> NDArray[np.float64]:
        """1 for each image."""
        return np.ones(len(self.lesions))

    @property
    def without_lesion(self) -> NDArray[np.float64]:
        """1 for images without a lesion, 0 for the others."""
        return (self.lesions == 0).astype(np.float64)


_BUNCH = "Bunch et al. (1977), A free response approach, Proc. SPIE 0127, 124-135"

COUNTED_SCORES = (
    LesionScore(
        name="sensitivity",
        label="lesion sensitivity",
        better="higher",
        definition="Found lesions over lesions, predicted masks as they are.",
        undefined="no lesions",
        source=_BUNCH,
        places=("console", "classes", "headline", "card", "tiles", "comparison"),
        proportion=True,
        terms=lambda counts: (counts.found, counts.lesions),
    ),
    LesionScore(
        name="false_positives_per_image",
        label="false positives per image",
        better="lower",
        definition="Predicted regions that match no lesion, over all images, those without lesions included.",
        undefined="",
        source=_BUNCH,
        digits=2,
        short="FP/image",
        per="images",
        places=("console", "classes", "headline", "card", "tiles", "comparison"),
        terms=lambda counts: (counts.false, counts.every_image),
    ),
    LesionScore(
        name="false_positives_per_image_without_lesion",
        label="false positives per image without lesion",
        better="lower",
        definition="Predicted regions of images without lesions, over those images.",
        undefined="no image without lesion",
        digits=2,
        per="images",
        terms=lambda counts: (counts.false * counts.without_lesion, counts.without_lesion),
    ),
    LesionScore(
        name="lesion_precision",
        label="lesion precision",
        better="higher",
        definition="Predicted regions that match a lesion over all of them.",
        undefined="nothing predicted",
        per="regions",
        places=("console",),
        proportion=True,
        terms=lambda counts: (counts.predicted - counts.false, counts.predicted),
    ),
    LesionScore(
        name="dice_per_lesion_mean",
        label="Dice per lesion, mean",
        better="higher",
        definition="Dice with the matched region; a missed lesion counts 0.",
        undefined="no lesions",
        places=("console", "card", "comparison"),
        terms=lambda counts: (counts.dice, counts.lesions),
    ),
    LesionScore(
        name="dice_per_found_lesion_mean",
        label="Dice per found lesion, mean",
        better="higher",
        definition="Dice with the matched region, missed lesions left out.",
        undefined="no lesion found",
        terms=lambda counts: (counts.dice, counts.found),
    ),
)
