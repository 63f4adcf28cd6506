"""Temperature and threshold, fitted on the validation split and stored in the run, never on test.

The temperature divides the logits so that probabilities mean what they say; it changes no ranking. The
threshold is the foreground probability above which `dice_pooled` of the validation split is greatest: pooled,
because false alarms on images without a lesion then cost, while silence everywhere still scores 0.
Both come from one pass over the images; memory is a sample of pixels and one histogram an image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored
from flexunet.errors import DatasetError
from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.reliability import IN_PLAY
from flexunet.evaluation.scores.row import Values
from flexunet.inference.predict.calibration import SMALLEST, Calibration, refuse_test
from flexunet.inference.predict.probabilities import foreground_probability, two_channels

_STEPS = 200
_SLOPES = (0.02, 20.0)


class CalibrationFit:
    """Collects validation images, then fits.

    Args:
        split: Split the images come from; not `test`.
        pixels_per_image: Pixels sampled of each image, half of them where foreground is in play.
        seed: Seed of the sample.

    Raises:
        DatasetError: if the split is `test`.
    """

    def __init__(self, split: str, pixels_per_image: int = 4096, seed: int = 137) -> None:
        refuse_test(split, "calibration")
        self.split = split
        self._half = max(1, pixels_per_image // 2)
        self._rng = np.random.default_rng(seed)
        self._logs: list[NDArray[np.float32]] = []
        self._labels: list[NDArray[np.uint8]] = []
        self._weights: list[Values] = []
        self._histograms: list[NDArray[np.int64]] = []

    def add(self, truth: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        """Add one image: class indices `(H, W)`, probabilities `(H, W, C)`; ignored pixels do not count."""
        probabilities = two_channels(probabilities)
        if without_ignored(truth)[1] is not None and probabilities.shape[-1] <= IGNORED:
            counted = truth != IGNORED
            truth, probabilities = truth[counted], probabilities[counted]
        inside = foreground_probability(probabilities).ravel()
        labels = truth.ravel()
        self._add_sample(labels, probabilities.reshape(len(labels), -1), inside)
        index = np.minimum((inside * _STEPS).astype(np.intp), _STEPS - 1) + _STEPS * (labels > 0)
        self._histograms.append(np.bincount(index, minlength=2 * _STEPS).reshape(2, _STEPS))

    def _add_sample(
        self, labels: NDArray[np.uint8], probabilities: NDArray[np.float32], inside: NDArray[np.float32]
    ) -> None:
        """Sample pixels, half of them where foreground is in play, each weighted by those it stands for."""
        in_play = (inside >= IN_PLAY) | (labels > 0)
        for stratum in (np.flatnonzero(in_play), np.flatnonzero(~in_play)):
            if not len(stratum):
                continue
            chosen = (
                self._rng.integers(0, len(stratum), self._half) if len(stratum) > self._half else slice(None)
            )
            pixels = stratum[chosen]
            self._logs.append(np.log(np.clip(probabilities[pixels], SMALLEST, 1)))
            self._labels.append(labels[pixels])
            self._weights.append(np.full(len(pixels), len(stratum) / len(pixels)))

    def fit(self, weights: str = "") -> Calibration:
        """Fit temperature and threshold.

        Args:
            weights: SHA-256 of the weights file, so that a later training makes the fit stale.

        Raises:
            DatasetError: if no image was added.
        """
        if not self._histograms:
            raise DatasetError(f"the {self.split} split has no images to fit temperature and threshold on.")
        temperature, before, after = self._fit_temperature()
        dice = dice_by_threshold(np.stack(self._histograms))
        best = _best_threshold(dice)
        return Calibration(
            split=self.split,
            images=len(self._histograms),
            temperature=temperature,
            threshold=best / _STEPS,
            log_loss_before=before,
            log_loss_after=after,
            dice_at_half=float(dice[_STEPS // 2]),
            dice_at_threshold=float(dice[best]),
            weights=weights,
        )

    def _fit_temperature(self) -> tuple[float, float, float]:
        logs, labels = np.concatenate(self._logs).astype(np.float64), np.concatenate(self._labels)
        weights = np.concatenate(self._weights)
        rows = np.arange(len(labels))

        def loss(slope: float) -> float:
            scaled = logs * slope
            highest = scaled.max(axis=1)
            total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
            return float(np.average(total - scaled[rows, labels], weights=weights))

        # The loss is convex in the slope, 1 / temperature.
        found = minimize_scalar(loss, bounds=_SLOPES, method="bounded", options={"xatol": 1e-4})
        before, after = loss(1.0), loss(float(found.x))
        if after >= before:
            return 1.0, before, before
        return float(1 / found.x), before, after


def dice_by_threshold(histograms: NDArray[np.int64]) -> Values:
    """`dice_pooled` of foreground against background at each threshold.

    Args:
        histograms: Pixels by truth (background, foreground) and probability bin, int64 `(N, 2, bins)`.

    Returns:
        Float64 array `(bins,)`, threshold `k / bins`; 0 where nothing is true and predicted.
    """
    above = histograms.sum(axis=0)[:, ::-1].cumsum(axis=1)[:, ::-1]
    correct, predicted = above[1], above.sum(axis=0)
    return np.nan_to_num(ratio(2 * correct, predicted + above[1, 0]))


def _best_threshold(dice: Values) -> int:
    """The step nearest to one half among those within 0.0001 of the best; steps below 2 % are not taken."""
    steps = np.arange(len(dice))
    allowed = steps >= len(dice) * 0.02
    good = allowed & (dice >= dice[allowed].max() - 1e-4)
    return int(steps[good][np.abs(steps[good] - len(dice) // 2).argmin()])
