"""How sure a score is: bootstrap over patients, and a permutation test for paired runs.

Images of one patient resemble each other, so patients are drawn, not images (sources, where patients are
unknown). Nearly every score is a quotient of two sums over images, so a replicate is two dot products, and
all replicates are two matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import Values

_BLOCK = 500_000
_EXACT_UP_TO = 12
_FEWEST = 200
_MOST_WORK = 100_000_000


class Estimate(BaseModel):
    """The value of a score with its interval."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")

    value: float | None = Field(default=None, description="The value; null where it does not exist.")
    low: float | None = Field(
        default=None, description="Lower end of the interval; null with fewer than two patients."
    )
    high: float | None = Field(default=None, description="Upper end of the interval.")
    images: int = Field(
        default=0, description="Number of images (lesions, for scores by lesion) that entered."
    )

    @classmethod
    def of(cls, value: float, replicates: Values, confidence: float, images: int) -> Estimate:
        """From the value and its replicates; NaN replicates (nothing to divide by) are left out."""
        known = replicates[~np.isnan(replicates)]
        if np.isnan(value) or not len(known):
            return cls(value=None if np.isnan(value) else float(value), images=images)
        tail = (1 - confidence) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return cls(value=float(value), low=float(low), high=float(high), images=images)


class Resampling:
    """Bootstrap replicates that draw patients with replacement.

    Args:
        groups: Patient of each image.
        replicates: Number of replicates.
        confidence: Level of the intervals.
        seed: Seed; the same patients are drawn for every score of one evaluation.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap (percentile intervals); Field & Welsh
    (2007), J R Stat Soc B 69(3) (resampling clusters).
    """

    def __init__(self, groups: Sequence[str], replicates: int, confidence: float, seed: int) -> None:
        names, self.group_of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        self.num_groups, self.confidence = len(names), confidence
        self.num_images = len(self.group_of)
        rng = np.random.default_rng(seed)
        count = replicates if self.num_groups > 1 else 0
        self._draws = np.zeros((count, self.num_groups), np.uint16)
        for rows in _blocks(count, self.num_groups):
            drawn = rng.integers(0, self.num_groups, (rows.stop - rows.start, self.num_groups))
            drawn += np.arange(len(drawn))[:, None] * self.num_groups
            counted = np.bincount(drawn.ravel(), minlength=drawn.size)
            self._draws[rows] = counted.reshape(drawn.shape)

    def image_weights(self, width: int = 0) -> Iterator[Values]:
        """How often each image counts, in blocks `(b, N)` of replicates, so that memory stays bounded.

        Args:
            width: Entries a replicate needs in what follows, if more than there are images. Replicates stop
                (at 200 or more) where all of them would need more than 1e8.
        """
        width = max(width, self.num_images, 1)
        count = min(len(self._draws), max(_FEWEST, _MOST_WORK // width))
        for rows in _blocks(count, width):
            yield self._draws[rows][:, self.group_of].astype(np.float64)

    def by_group(self, values: NDArray) -> Values:
        """Sums over the images of each patient, `(groups,)`; NaN counts as 0."""
        return np.bincount(self.group_of, np.nan_to_num(values), self.num_groups).astype(np.float64)

    def ratio_replicates(self, numerators: NDArray, denominators: NDArray) -> Values:
        """Quotients of sums over images, one a replicate."""
        sums = np.stack([self.by_group(numerators), self.by_group(denominators)], axis=1)
        replicates = np.empty((len(self._draws), 2))
        for rows in _blocks(len(self._draws), self.num_groups):
            replicates[rows] = self._draws[rows].astype(np.float64) @ sums
        return ratio(replicates[:, 0], replicates[:, 1])

    def ratio(self, numerators: NDArray, denominators: NDArray) -> Estimate:
        """Sum over sum with its interval.

        Args:
            numerators: One value an image.
            denominators: One value an image.
        """
        value = ratio(np.nansum(numerators), np.nansum(denominators))
        # The replicates of one patient are all the same, which is no certainty.
        several = self.groups_with(denominators) > 1
        replicates = self.ratio_replicates(numerators, denominators) if several else np.empty(0)
        return Estimate.of(float(value), replicates, self.confidence, int(np.count_nonzero(denominators)))

    def proportion(self, numerators: NDArray, denominators: NDArray) -> Estimate:
        """A share of units that are found or not, with an interval that is honest at 0 and 1.

        Where all lesions are found, every replicate is 1, which proves no certainty. So the interval is at
        least Wilson's with the number of patients that have such units as the number of trials: units of
        one patient may all share one fate.

        Args:
            numerators: Units that count, one value an image.
            denominators: Units, one value an image.

        Source: Wilson, E. B. (1927), J. Am. Stat. Assoc. 22(158), 209-212; Brown, Cai & DasGupta (2001),
        Statistical Science 16(2), 101-133.
        """
        return self.widened(self.ratio(numerators, denominators), denominators)

    def widened(self, estimate: Estimate, denominators: NDArray) -> Estimate:
        """An estimate of a share, its interval at least Wilson's by patients; see `proportion`."""
        if estimate.value is None or estimate.low is None or estimate.high is None:
            return estimate
        low, high = wilson(estimate.value, self.groups_with(denominators), self.confidence)
        ends = {"low": min(estimate.low, low), "high": max(estimate.high, high)}
        return estimate.model_copy(update=ends)

    def honest(self, estimate: Estimate, denominators: NDArray, bounded: bool) -> Estimate:
        """An estimate whose interval does not vanish because all images have the same score.

        Where all replicates are equal, the images show no spread, which is no certainty. A score between 0
        and 1 varies at most as one that is either 0 or 1, so that Wilson's interval by patients covers it;
        of others nothing is known, and they get none.

        Args:
            estimate: The estimate.
            denominators: Units that entered, one value an image.
            bounded: Whether the score lies between 0 and 1.
        """
        if estimate.value is None or estimate.low is None or estimate.low != estimate.high:
            return estimate
        if bounded:
            return self.widened(estimate, denominators)
        return Estimate(value=estimate.value, images=estimate.images)

    def groups_with(self, denominators: NDArray) -> int:
        """Number of patients with something to count."""
        return int(np.count_nonzero(self.by_group(denominators)))

    def mean(self, values: NDArray) -> Estimate:
        """Mean over images with its interval; NaN images are left out."""
        return self.ratio(values, (~np.isnan(values)).astype(np.float64))

    def median(self, values: NDArray) -> Estimate:
        """Median over images with its interval; NaN images are left out."""
        known = np.flatnonzero(~np.isnan(values))
        order = known[np.argsort(values[known], kind="stable")]
        if not len(order):
            return Estimate()
        ordered = values[order]
        replicates = [_weighted_median(ordered, weights[:, order]) for weights in self.image_weights()]
        joined = np.concatenate(replicates) if replicates else np.empty(0)
        return Estimate.of(float(np.median(ordered)), joined, self.confidence, len(order))

    def statistic(
        self, of_weights: Callable[[Values], Values], images: int | None = None, width: int = 0
    ) -> list[Estimate]:
        """Scores that are any function of image weights, such as FROC sensitivities.

        Args:
            of_weights: Takes weights `(b, N)`, returns `(b,)` or `(b, k)`.
            images: Number of images that entered, all by default.
            width: Entries that a replicate needs, see `image_weights`.
        """
        value = of_weights(np.ones((1, self.num_images))).reshape(-1)
        blocks = [of_weights(weights).reshape(len(weights), -1) for weights in self.image_weights(width)]
        replicates = np.concatenate(blocks) if blocks else np.empty((0, len(value)))
        count = self.num_images if images is None else images
        return [
            Estimate.of(float(one), column, self.confidence, count)
            for one, column in zip(value, replicates.T, strict=True)
        ]


def wilson(share: float, trials: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share of `trials` that are right or wrong.

    >>> low, high = wilson(1.0, 24, 0.95)
    >>> round(low, 3), high
    (0.862, 1.0)
    """
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle = share + z2 / (2 * trials)
    reach = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2)))
    low, high = (middle - reach) / (1 + z2 / trials), (middle + reach) / (1 + z2 / trials)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)


def _blocks(count: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def _weighted_median(ordered: Values, weights: Values) -> Values:
    """Median of sorted values, each repeated `weights` times, `(B,)`; NaN where all weights are 0."""
    cumulated = np.cumsum(weights, axis=1)
    total = cumulated[:, -1:]
    lower = (cumulated >= np.maximum(total / 2, 0.5)).argmax(axis=1)
    upper = (cumulated >= total / 2 + 0.5).argmax(axis=1)
    return np.where(total[:, 0] > 0, (ordered[lower] + ordered[upper]) / 2, np.nan)


def permutation_p(
    first: tuple[Values, Values], second: tuple[Values, Values], replicates: int, seed: int
) -> float:
    """Two-sided p value that two runs differ by chance, by swapping whole patients between them.

    With up to 12 patients all 2^patients swaps are counted, else random ones and the observed one.
    `scipy.stats.permutation_test` is not used: it counts swaps whose score does not exist, and gives p = 0
    where the score itself does not exist.

    Args:
        first: Numerator and denominator of each patient, first run.
        second: The same of the second run.
        replicates: Number of random swaps.
        seed: Seed of the swaps.

    Returns:
        Share of swaps whose difference is at least as large as the observed one; 1 for identical runs, NaN
        where the score does not exist.

    Source: Ernst (2004), Permutation Methods, Statistical Science 19(4); Phipson & Smyth (2010), SAGMB 9(1)
    (the observed arrangement is one of those counted).
    """
    num_groups = len(first[0])
    total, rng = 2**num_groups if num_groups <= _EXACT_UP_TO else replicates + 1, np.random.default_rng(seed)
    table = np.stack([*first, *second], axis=1)
    change = np.stack([second[0] - first[0], second[1] - first[1]], axis=1)
    differences = np.empty(total)
    for rows in _blocks(total, num_groups):
        if num_groups <= _EXACT_UP_TO:
            swapped = (np.arange(rows.start, rows.stop)[:, None] >> np.arange(num_groups) & 1).astype(bool)
        else:
            swapped = rng.integers(0, 2, (rows.stop - rows.start, num_groups), np.int8).astype(bool)
            swapped[0] &= rows.start > 0  # the first is the observed arrangement
        moved = swapped @ change
        kept = table.sum(axis=0)
        differences[rows] = ratio(kept[2] - moved[:, 0], kept[3] - moved[:, 1]) - ratio(
            kept[0] + moved[:, 0], kept[1] + moved[:, 1]
        )
    observed = differences[0]
    if np.isnan(observed):
        return float("nan")
    known = differences[~np.isnan(differences)]
    return float(np.mean(np.abs(known) >= abs(observed) - 1e-12))
