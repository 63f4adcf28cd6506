"""The best and the worst images of a test set, kept small until the report draws them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.images import ImageScores
from flexunet.evaluation.scores.pixels import foreground_counts, mean_over_classes, pixel_scores


class ScoredImage(NamedTuple):
    """One image with its masks.

    Attributes:
        dice: `dice_per_image` of it.
        name: File name stem.
        image_path: The image; None where only masks are known.
        truth: Truth, as the bytes of a PNG.
        prediction: Prediction, likewise.
        lesions: Number of true lesions.
        found: Number of those found.
        false_positives: Predicted regions that match none.
        wrong: Pixels of a wrong class; of equally bad images the larger error is the worse.
    """

    dice: float
    name: str
    image_path: str | None
    truth: bytes
    prediction: bytes
    lesions: int
    found: int
    false_positives: int
    wrong: int

    @property
    def badness(self) -> tuple[float, int, str]:
        """What the worst images are sorted by."""
        return self.dice, -self.wrong, self.name

    @property
    def goodness(self) -> tuple[float, int, str]:
        """What the best images are sorted by."""
        return -self.dice, self.wrong, self.name

    def masks(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Truth and prediction, class indices `(H, W)`."""
        planes = (
            cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
            for png in (self.truth, self.prediction)
        )
        truth, prediction = (np.asarray(plane, np.uint8) for plane in planes)
        return truth, prediction


class Extremes:
    """Keeps the worst and the best images of all that are offered, and forgets the others.

    Images with nothing in truth and prediction are not offered a place.

    Args:
        size: Images of each kind.
    """

    def __init__(self, size: int = 6) -> None:
        self.size = size
        self._worst: list[ScoredImage] = []
        self._best: list[ScoredImage] = []

    @property
    def worst(self) -> list[ScoredImage]:
        """The worst images, worst first."""
        return list(self._worst)

    @property
    def best(self) -> list[ScoredImage]:
        """The best images, best first; none that is among the worst."""
        taken = {image.name for image in self._worst}
        return [image for image in self._best if image.name not in taken]

    def offer(
        self,
        name: str,
        image_path: str | None,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        scores: ImageScores,
    ) -> None:
        """Look at one image."""
        dice = float(mean_over_classes(pixel_scores(*foreground_counts(scores.confusion))["dice"]))
        if np.isnan(dice) or not self.size:
            return
        wrong = int(scores.confusion.sum() - np.trace(scores.confusion))
        low, high = (dice, -wrong, name), (-dice, wrong, name)
        among_worst = len(self._worst) < self.size or low < self._worst[-1].badness
        among_best = len(self._best) < self.size or high < self._best[-1].goodness
        if not among_worst and not among_best:
            return
        image = ScoredImage(
            dice,
            name,
            image_path,
            _png(truth),
            _png(prediction),
            len(scores.lesions.label),
            int(scores.lesions.found.sum()),
            int((scores.candidates.decided & ~scores.candidates.matched).sum()),
            wrong,
        )
        if among_worst:
            self._worst = sorted([*self._worst, image], key=lambda one: one.badness)[: self.size]
        if among_best:
            self._best = sorted([*self._best, image], key=lambda one: one.goodness)[: self.size]


def _png(mask: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
