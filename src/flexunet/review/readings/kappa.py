"""Agreement beyond chance: Cohen's kappa of two readers, Fleiss' kappa of several."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two readers of the same images.

    Args:
        first: What one reader said of each image.
        second: What the other said.

    Returns:
        1 for full agreement, 0 for that of chance; None where there is nothing to compare, or where both
        always say the same one thing, so that chance alone would agree fully.

    Source: Cohen, J. (1960), A Coefficient of Agreement for Nominal Scales, EPM 20(1).

    >>> cohen_kappa(list("yynn"), list("yynn")), cohen_kappa(list("yynn"), list("ynyn"))
    (1.0, 0.0)
    """
    if not first:
        return None
    names = {name: number for number, name in enumerate(dict.fromkeys([*first, *second]))}
    table = np.zeros((len(names), len(names)))
    for one, other in zip(first, second, strict=True):
        table[names[one], names[other]] += 1
    shares = table / table.sum()
    chance = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return None if chance >= 1 else float((np.trace(shares) - chance) / (1 - chance))


def fleiss_kappa(counts: np.ndarray) -> float | None:
    """Fleiss' kappa of several readers of the same images.

    Args:
        counts: How many readers said what, `(images, things to say)`; every row sums to the same 2 or more.

    Returns:
        As `cohen_kappa`.

    Source: Fleiss, J. L. (1971), Measuring Nominal Scale Agreement Among Many Raters, Psychological Bulletin
    76(5).
    """
    counts = np.asarray(counts, float)
    if not counts.size or counts[0].sum() < 2:
        return None
    readers = counts[0].sum()
    alike = ((counts**2).sum(axis=1) - readers) / (readers * (readers - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return None if chance >= 1 else float((alike.mean() - chance) / (1 - chance))
