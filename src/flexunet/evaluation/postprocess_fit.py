"""Post-processing, fitted on the validation split: which holes to fill, which regions are too small to keep.

Each foreground class has its own choice, the one with the best mean Dice per image (images with the class in
truth or prediction, as `dice_per_image_mean` counts them: a false alarm on an image without it is a 0). It is
chosen only where it gains and where the images that gain outnumber those that lose by three deviations of a
coin, so that at least nine images must gain: the best of 78 choices looks good by chance. On lesions in
CDD-CESM, choices made on four images where more gained than lost made the four others worse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.regions import fill_holes, find_regions
from flexunet.errors import DatasetError
from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import Values
from flexunet.inference.predict.calibration import refuse_test
from flexunet.inference.predict.postprocess import ClassPostprocess, Postprocess

# Least sizes that are tried: none, then 4 pixels and up by half a power of two, to a million.
SIZES = np.concatenate([[0], np.unique(np.rint(2.0 ** np.arange(2, 20.5, 0.5))).astype(np.int64)])
LEAST_GAIN = 0.001
_AS_GOOD = 0.0005
_DEVIATIONS = 3.0


class PostprocessFit:
    """Collects masks of validation images, then chooses.

    Args:
        split: Split the images come from; not `test`.
        num_classes: Number of classes, background included.
        threshold: Threshold of the masks; None: those of the most probable class.

    Raises:
        DatasetError: if the split is `test`.
    """

    def __init__(self, split: str, num_classes: int, threshold: float | None = None) -> None:
        refuse_test(split, "post-processing")
        self.split = split
        self.threshold = threshold
        self._labels = range(1, max(num_classes, 2))
        self._dice: list[Values] = []

    def add(self, truth: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Add one image: true and predicted class indices, uint8 `(H, W)`; ignored pixels do not count."""
        if len(self._labels) < IGNORED:
            truth, ignored = without_ignored(truth)
            mask = mask if ignored is None else np.where(ignored, np.uint8(0), mask)
        self._dice.append(np.stack([self._of_class(truth, mask, label) for label in self._labels]))

    @staticmethod
    def _of_class(truth: NDArray[np.uint8], mask: NDArray[np.uint8], label: int) -> Values:
        """Dice of one class without and with its holes filled, at each least size, `(2, sizes)`."""
        true = truth == label
        masks = (mask, fill_holes(mask, classes=(label,)))
        return np.stack([dice_by_size(true, plane == label) for plane in masks])

    def fit(self) -> Postprocess:
        """Choose for each class.

        Raises:
            DatasetError: if no image was added.
        """
        if not self._dice:
            raise DatasetError(f"the {self.split} split has no images to fit post-processing on.")
        dice = np.stack(self._dice, axis=1)
        chosen = (self._choose(label, of_class) for label, of_class in zip(self._labels, dice, strict=True))
        return Postprocess(self.threshold, tuple(chosen))

    @staticmethod
    def _choose(label: int, dice: Values) -> ClassPostprocess:
        """What is best for a class, from Dice by image, filling and size `(N, 2, sizes)`; NaN: in neither."""
        mean = ratio(np.nansum(dice, axis=0), np.count_nonzero(~np.isnan(dice), axis=0))
        before = mean[0, 0]
        if np.isnan(before):
            return ClassPostprocess(label)
        whole = np.nan_to_num(dice, nan=1.0)  # in neither mask: nothing is wrong there
        better, worse = ((whole - whole[:, :1, :1]) * sign > 0 for sign in (1, -1))
        gained, lost = better.sum(axis=0), worse.sum(axis=0)
        sure = gained - lost >= _DEVIATIONS * np.sqrt(gained + lost)
        gains = sure & (np.nan_to_num(mean, nan=-1.0) >= before + LEAST_GAIN)
        if not gains.any():
            return ClassPostprocess(label, dice_before=float(before), dice_after=float(before))
        best = mean[gains].max()
        # Of equals the one that does least: no filling before filling, small sizes before large ones.
        fill, size = np.argwhere(gains & (mean >= best - _AS_GOOD))[0]
        return ClassPostprocess(label, bool(fill), int(SIZES[size]), float(before), float(mean[fill, size]))


def dice_by_size(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> Values:
    """Dice after the regions of a prediction that are smaller than each of `SIZES` are gone.

    Args:
        truth: True pixels, bool `(H, W)`.
        prediction: Predicted ones.

    Returns:
        Float64 `(sizes,)`; NaN where nothing is true and nothing left.
    """
    regions = find_regions(prediction)
    hits = np.bincount(regions.labels[truth], minlength=len(regions) + 1)[1:]
    order = np.argsort(regions.areas, kind="stable")
    start = np.searchsorted(regions.areas[order], SIZES)

    def left(counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over the regions of each least size and more."""
        return counts.sum() - np.concatenate([[0], np.cumsum(counts[order])])[start]

    return ratio(2 * left(hits), left(regions.areas) + np.count_nonzero(truth))
