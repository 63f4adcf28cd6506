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
        component_dice: Sum of the Dice of each lesion within its cell. Here and below NaN where the lesions
            were read from an older file.
        halves: Lesions that a region overlaps by an IoU above 0.5; no other region or lesion can do so.
        half_iou: Sum of those IoU.
        centre_hits: Lesions that a region finds by its centre of mass, one to one.
    """

    lesions: NDArray[np.int64]
    found: NDArray[np.int64]
    predicted: NDArray[np.int64]
    false: NDArray[np.int64]
    dice: NDArray[np.float64]
    component_dice: NDArray[np.float64]
    halves: NDArray[np.float64]
    half_iou: NDArray[np.float64]
    centre_hits: NDArray[np.float64]

    @property
    def every_image(self) -> NDArray[np.float64]:
        """1 for each image."""
        return np.ones(len(self.lesions))

    @property
    def without_lesion(self) -> NDArray[np.float64]:
        """1 for images without a lesion, 0 for the others."""
        return (self.lesions == 0).astype(np.float64)

    @property
    def with_lesion(self) -> NDArray[np.float64]:
        """1 for images with a lesion, 0 for the others."""
        return (self.lesions > 0).astype(np.float64)

    @property
    def silent(self) -> NDArray[np.float64]:
        """1 for images without a predicted region, 0 for the others."""
        return (self.predicted == 0).astype(np.float64)


_KIRILLOV = "Kirillov et al. (2019), Panoptic Segmentation, CVPR"
_MAIER_HEIN = "Maier-Hein, Reinke et al. (2024), Metrics Reloaded, Nature Methods 21, 195-212"
_BUNCH = "Bunch et al. (1977), A free response approach, Proc. SPIE 0127, 124-135"

COUNTED_SCORES = (
    LesionScore(
        name="sensitivity",
        label="lesion sensitivity",
        better="higher",
        definition="Found lesions over lesions, predicted masks as they are.",
        undefined="no lesions",
        source=_BUNCH,
        places=("console", "classes", "headline", "card", "tiles", "comparison", "readers"),
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
        places=("console", "classes", "headline", "card", "tiles", "comparison", "readers"),
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
    LesionScore(
        name="component_dice_mean",
        label="component-wise Dice, mean",
        better="higher",
        definition="Dice of each lesion within its cell, the pixels nearer to it than to any other lesion of "
        "the class; mean over lesions.",
        undefined="no lesions",
        source="Jaus et al. (2024), Every Component Counts, arXiv:2410.18684",
        places=("console",),
        terms=lambda counts: (counts.component_dice, counts.lesions),
    ),
    LesionScore(
        name="panoptic_quality",
        label="panoptic quality",
        better="higher",
        definition="Sum of the IoU of lesions and regions that overlap by more than 0.5, over the mean of "
        "the numbers of lesions and regions.",
        undefined="neither lesions nor regions",
        source=_KIRILLOV,
        per="lesions and regions",
        places=("console", "readers"),
        terms=lambda counts: (counts.half_iou, (counts.lesions + counts.predicted) / 2),
    ),
    LesionScore(
        name="segmentation_quality",
        label="segmentation quality",
        better="higher",
        definition="Mean IoU of lesions and regions that overlap by more than 0.5; panoptic quality is this "
        "times recognition quality.",
        undefined="no such lesion",
        source=_KIRILLOV,
        terms=lambda counts: (counts.half_iou, counts.halves),
    ),
    LesionScore(
        name="recognition_quality",
        label="recognition quality",
        better="higher",
        definition="Lesions that a region overlaps by an IoU above 0.5, over the mean of the numbers of "
        "lesions and regions (F1 score).",
        undefined="neither lesions nor regions",
        source=_KIRILLOV,
        per="lesions and regions",
        terms=lambda counts: (counts.halves, (counts.lesions + counts.predicted) / 2),
    ),
    LesionScore(
        name="sensitivity_at_half_iou",
        label="lesion sensitivity, IoU above 0.5",
        better="higher",
        definition="Lesions that a region overlaps by an IoU above 0.5, over lesions, whatever "
        "`lesion_match` is.",
        undefined="no lesions",
        source=_MAIER_HEIN,
        proportion=True,
        terms=lambda counts: (counts.halves, counts.lesions),
    ),
    LesionScore(
        name="false_positives_per_image_at_half_iou",
        label="false positives per image, IoU above 0.5",
        better="lower",
        definition="Regions that overlap no lesion by an IoU above 0.5, over all images.",
        undefined="",
        source=_MAIER_HEIN,
        digits=2,
        per="images",
        terms=lambda counts: (counts.predicted - counts.halves, counts.every_image),
    ),
    LesionScore(
        name="sensitivity_by_centre",
        label="lesion sensitivity, centre hit",
        better="higher",
        definition="Lesions in which the centre of mass of a region of their own lies, over lesions, "
        "whatever `lesion_match` is.",
        undefined="no lesions",
        source=_MAIER_HEIN,
        proportion=True,
        terms=lambda counts: (counts.centre_hits, counts.lesions),
    ),
    LesionScore(
        name="false_positives_per_image_by_centre",
        label="false positives per image, centre hit",
        better="lower",
        definition="Regions that find no lesion by their centre of mass, over all images.",
        undefined="",
        source=_MAIER_HEIN,
        digits=2,
        per="images",
        terms=lambda counts: (counts.predicted - counts.centre_hits, counts.every_image),
    ),
    LesionScore(
        name="image_sensitivity",
        label="sensitivity by image",
        better="higher",
        definition="Images with a lesion in which any region is predicted, over images with a lesion.",
        undefined="no image with a lesion",
        per="images",
        proportion=True,
        terms=lambda counts: (counts.with_lesion * (1 - counts.silent), counts.with_lesion),
    ),
    LesionScore(
        name="image_specificity",
        label="specificity by image",
        better="higher",
        definition="Images without a lesion in which no region is predicted, over images without a lesion.",
        undefined="no image without lesion",
        per="images",
        proportion=True,
        terms=lambda counts: (counts.without_lesion * counts.silent, counts.without_lesion),
    ),
)
