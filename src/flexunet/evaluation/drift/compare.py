"""Whether the measures of recent images differ from those of the reference: tests, and when they say nothing.

A measure has drifted where two conditions hold: the two-sample Kolmogorov-Smirnov test (for words, the
chi-squared test) is significant after Holm's correction over all measures, and the population stability index
(PSI) is at least 0.25, by convention a major change. The first says that it is no chance, the second that it
is large. Patients count, not images: images of one patient resemble each other, so the tests take the number
of patients as the number of observations.

Sources: Massey, F. J. (1951), J. Am. Stat. Assoc. 46, 68-78; Holm, S. (1979), Scand. J. Statist. 6, 65-70;
Siddiqi, N. (2006), Credit Risk Scorecards, Wiley (0.1 and 0.25); Yurdakul, B. and Naranjo, J. (2020),
Statistical properties of the population stability index, J. Risk Model Validation 14(4) (what chance alone
gives: (1/n + 1/m) times a chi-squared quantile, which the index must exceed as well).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from flexunet.evaluation.drift.measures import MEASURES, ImageMeasures, Measure, Value

LEVEL = 0.01  # of the corrected p value
SOME, MAJOR = 0.1, 0.25  # of the PSI
FEWEST = 10  # patients (images, where patients are unknown) on either side
_BINS = 10
_FEWEST_EXPECTED = 5.0
Answered = Literal["drift", "some change", "none shown", "too few", "not known"]


class Difference(NamedTuple):
    """One measure, compared.

    Attributes:
        measure: Which.
        answer: `drift`: significant and large; `some change`: significant and of a PSI of 0.1 to 0.25;
            `none shown`; `too few` images to say; `not known`: one side lacks the measure.
        images: Number of images on either side that have it, reference first.
        units: Number of patients among them.
        psi: Population stability index.
        psi_by_chance: What it would exceed in one of a hundred cases without any drift.
        distance: Kolmogorov-Smirnov distance; None for words.
        detectable: The smallest distance that so many patients could show; None for words.
        p: Of the test, before correction.
        p_corrected: After Holm's correction over all measures.
        medians: Of both sides; for words the share of the commonest word of the reference.
    """

    measure: Measure
    answer: Answered
    images: tuple[int, int]
    units: tuple[int, int]
    psi: float | None = None
    psi_by_chance: float | None = None
    distance: float | None = None
    detectable: float | None = None
    p: float | None = None
    p_corrected: float | None = None
    medians: tuple[float, float] | None = None

    def __bool__(self) -> bool:
        return self.answer == "drift"


def compare(reference: Sequence[ImageMeasures], recent: Sequence[ImageMeasures]) -> list[Difference]:
    """Compare every measure; in the order of the table."""
    compared = [_compare(measure, reference, recent) for measure in MEASURES]
    tested = [place for place, one in enumerate(compared) if one.p is not None]
    corrected = holm([compared[place].p or 0.0 for place in tested])
    for place, p in zip(tested, corrected, strict=True):
        one = compared[place]
        compared[place] = one._replace(
            p_corrected=p, answer=_answer(one.psi or 0.0, one.psi_by_chance or 0.0, p)
        )
    return compared


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def stability_index(reference: Sequence[float], recent: Sequence[float]) -> float:
    """Population stability index of two rows of counts over the same bins.

    Half an image is added to each bin, so that an empty one gives a number.

    >>> round(stability_index([50, 50], [50, 50]), 6), round(stability_index([90, 10], [10, 90]), 2)
    (0.0, 3.41)
    """
    shares = []
    for counts in (reference, recent):
        filled = np.asarray(counts, np.float64) + 0.5
        shares.append(filled / filled.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def bins_of(reference: np.ndarray) -> np.ndarray:
    """Upper edges of bins that hold about equally many of the reference: its deciles, each once.

    A value that a tenth or more of the reference share has a bin of its own: black is black in most images,
    and neither a darker nor a brighter one must be taken for it.

    >>> bins_of(np.array([0.0, 0, 0, 0])).tolist(), bins_of(np.arange(5.0)).tolist()[:2]
    ([-5e-324, 0.0], [0.4, 0.8])
    """
    values, counts = np.unique(reference, return_counts=True)
    shared = values[(counts > 1) & (counts >= len(reference) / _BINS)]
    deciles = np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.unique(np.concatenate([deciles, shared, np.nextafter(shared, -np.inf)]))


def _answer(psi: float, by_chance: float, p: float) -> Answered:
    if p >= LEVEL or psi < max(SOME, by_chance):
        return "none shown"
    return "drift" if psi >= MAJOR else "some change"


def _compare(
    measure: Measure, reference: Sequence[ImageMeasures], recent: Sequence[ImageMeasures]
) -> Difference:
    known = [[one for one in side if measure.name in one.values] for side in (reference, recent)]
    images = (len(known[0]), len(known[1]))
    units = tuple(len({one.unit for one in side}) for side in known)
    counts = (units[0], units[1])
    if not all(images):
        return Difference(measure, "not known", images, counts)
    if min(counts) < FEWEST:
        return Difference(measure, "too few", images, counts)
    values: list[list[Value]] = [[one.values[measure.name] for one in side] for side in known]
    if measure.numeric:
        return _numbers(measure, images, counts, *(np.array(side, np.float64) for side in values))
    return _words(measure, images, counts, *([str(value) for value in side] for side in values))


def _numbers(
    measure: Measure, images: tuple[int, int], units: tuple[int, int], before: np.ndarray, now: np.ndarray
) -> Difference:
    from scipy.stats import ks_2samp, kstwobign

    edges = bins_of(before)
    binned = [
        np.bincount(np.digitize(side, edges, right=True), minlength=len(edges) + 1) for side in (before, now)
    ]
    distance = float(ks_2samp(before, now, method="asymp").statistic)
    root = math.sqrt(units[0] * units[1] / sum(units))
    return Difference(
        measure,
        "none shown",
        images,
        units,
        psi=stability_index(*(counts.tolist() for counts in binned)),
        psi_by_chance=_psi_by_chance(units, len(edges)),
        distance=distance,
        detectable=min(1.0, float(kstwobign.isf(LEVEL / len(MEASURES))) / root),
        p=float(kstwobign.sf(root * distance)),
        medians=(float(np.median(before)), float(np.median(now))),
    )


def _words(
    measure: Measure, images: tuple[int, int], units: tuple[int, int], before: list[str], now: list[str]
) -> Difference:
    from scipy.stats import chi2_contingency

    tally = Counter(before), Counter(now)
    words = [word for word, _ in (tally[0] + tally[1]).most_common()]
    table = np.array([[side[word] for word in words] for side in tally], np.float64)
    psi = stability_index(table[0].tolist(), table[1].tolist())
    # By patients: the same shares, of as many observations as there are patients.
    table *= np.array(units)[:, None] / table.sum(axis=1, keepdims=True)
    pooled = _pool_rare(table)
    p = 1.0 if pooled.shape[1] < 2 else float(chi2_contingency(pooled, correction=True).pvalue)
    commonest = tally[0].most_common(1)[0][0]
    return Difference(
        measure,
        "none shown",
        images,
        units,
        psi=psi,
        psi_by_chance=_psi_by_chance(units, len(words) - 1),
        p=p,
        medians=(tally[0][commonest] / len(before), tally[1][commonest] / len(now)),
    )


def _psi_by_chance(units: tuple[int, int], degrees: int) -> float:
    from scipy.stats import chi2

    return float(chi2.isf(LEVEL, degrees) * (1 / units[0] + 1 / units[1])) if degrees > 0 else 0.0


def _pool_rare(table: np.ndarray) -> np.ndarray:
    """Columns of fewer than five expected observations on a side put together, rarest first."""
    columns = [table[:, place] for place in np.argsort(-table.sum(axis=0), kind="stable")]

    def is_rare(column: np.ndarray) -> bool:
        expected = column.sum() * table.sum(axis=1) / table.sum()
        return bool(expected.min() < _FEWEST_EXPECTED)

    while len(columns) > 1 and is_rare(columns[-1]):
        rarest = columns.pop()
        columns[-1] = columns[-1] + rarest
    return np.stack(columns, axis=1)
