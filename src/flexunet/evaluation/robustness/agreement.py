"""How one measurement agrees between two films of a breast: presence and area of predicted lesions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexunet.evaluation.robustness.document import Agreement
from flexunet.evaluation.scores.intervals import Resampling
from flexunet.evaluation.scores.pixels import ratio
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.scores.rules import ScoringRules

_DEVIATIONS = 1.96


def agreement(first: Values, second: Values, patients: Sequence[str], rules: ScoringRules) -> Agreement:
    """Agreement of the areas of lesions on pairs of films, with intervals by patient.

    Args:
        first: Area on the first film of each pair, `(N,)`; 0 for no lesion.
        second: The same on the second.
        patients: Patient of each pair.
        rules: Bootstrap settings.

    Source: Bland, J. M. and Altman, D. G. (1986), Lancet 327, 307-310; Lin, L. I. (1989), Biometrics 45,
    255-268; Cohen, J. (1960), Educational and Psychological Measurement 20, 37-46.
    """
    draw = Resampling(patients, rules.bootstrap_samples, rules.confidence, rules.seed)
    present = first > 0, second > 0

    def statistic(weights: Values) -> Values:
        columns = [*_presence(*present, weights), *_areas(first, second, weights)]
        return np.stack(columns, axis=1)

    same, kappa, bias, lower, upper, concordance = draw.statistic(statistic)
    return Agreement(
        present_in_both=int((present[0] & present[1]).sum()),
        present_in_one=int((present[0] ^ present[1]).sum()),
        present_in_none=int((~present[0] & ~present[1]).sum()),
        same_presence=draw.widened(same, np.ones(len(first))),
        kappa=kappa,
        bias=bias,
        lower_limit=lower,
        upper_limit=upper,
        concordance=concordance,
    )


def _presence(one: np.ndarray, two: np.ndarray, weights: Values) -> tuple[Values, Values]:
    """Share of equal answers, and Cohen's kappa, NaN where all answers are the same."""
    total = weights.sum(axis=1)
    same = ratio(weights @ (one == two).astype(np.float64), total)
    shares = [ratio(weights @ present.astype(np.float64), total) for present in (one, two)]
    by_chance = shares[0] * shares[1] + (1 - shares[0]) * (1 - shares[1])
    beyond = 1 - by_chance
    return same, ratio(same - by_chance, np.where(beyond > 1e-12, beyond, 0.0))


def _areas(one: Values, two: Values, weights: Values) -> tuple[Values, Values, Values, Values]:
    """Bias, limits of agreement and concordance of areas, by replicate."""
    total = weights.sum(axis=1)
    means = [ratio(weights @ values, total) for values in (one, two)]
    differences = two - one
    bias = means[1] - means[0]
    spread = ratio(weights @ differences**2, total) - bias**2
    # The deviation of a sample: one less in the denominator, as Bland and Altman have it.
    deviation = np.sqrt(np.maximum(spread, 0) * ratio(total, np.maximum(total - 1, 0)))
    variances = [
        ratio(weights @ values**2, total) - mean**2 for values, mean in zip((one, two), means, strict=True)
    ]
    covariance = ratio(weights @ (one * two), total) - means[0] * means[1]
    scale = variances[0] + variances[1] + bias**2
    concordance = ratio(2 * covariance, np.where(scale > 1e-18, scale, 0.0))
    return bias, bias - _DEVIATIONS * deviation, bias + _DEVIATIONS * deviation, concordance
