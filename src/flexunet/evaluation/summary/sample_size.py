"""How many patients a study needs, from the spread between the patients of a run.

Nearly every score is a quotient of two sums over images, and images of one patient belong together. For such
a quotient R of n patients with sums N and D each, the residuals N - R D tell the spread between patients; its
standard error falls with the root of their number. A plan says no more than the run carries: below ten
patients with something to count the spread is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from scipy import stats

from flexunet.errors import ConfigError, counted
from flexunet.evaluation.scores.intervals import Resampling, wilson
from flexunet.evaluation.scores.registry import SET_LESION_SCORES, SET_SCORES, SetScore
from flexunet.evaluation.scores.row import LesionScore, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import paired_quotients
from flexunet.evaluation.summary.quotients import Quotient, has_quotient, quotient_of
from flexunet.evaluation.summary.verdict import FEWEST_PATIENTS
from flexunet.evaluation.tables.rows import Tables
from flexunet.evaluation.tables.study_plan import PairedPlan, StudyPlan

_MOST = 1_000_000
_REPLICATES = 1000
_STEPS = (25, 50, 100, 200, 400, 800)


def spread_between(quotient: Quotient, draw: Resampling) -> float:
    """Standard deviation between patients of what a score rests on, so that its error is this over root n.

    Args:
        quotient: The score.
        draw: The patients of its images.

    Returns:
        The spread, in the unit of the score; NaN with one patient.

    Source: Cochran (1977), Sampling Techniques, 6.3 (ratio estimates).
    """
    return float(_spreads(_influence(quotient, draw)[None])[0])


def _influence(quotient: Quotient, draw: Resampling) -> Values:
    """How far each patient moves the quotient, `(patients,)`; the mean is 0."""
    above, below = draw.by_group(quotient.numerator), draw.by_group(quotient.denominator)
    return (above - above.sum() / below.sum() * below) / below.mean()


def _spreads(influences: Values) -> Values:
    """Standard deviations around 0, `(B,)`, of influences `(B, patients)`."""
    patients = influences.shape[1]
    return np.sqrt((influences**2).sum(axis=1) / (patients - 1)) if patients > 1 else np.full(1, np.nan)


def _range_of(
    influence: Values, needed: Callable[[float], int | None], seed: int
) -> tuple[int | None, int | None]:
    """Patients needed at the ends of the interval of the spread, patients drawn anew."""
    rng = np.random.default_rng(seed)
    drawn = influence[rng.integers(0, len(influence), (_REPLICATES, len(influence)))]
    low, high = np.quantile(_spreads(drawn), [0.025, 0.975])
    return needed(float(low)), needed(float(high))


def patients_for_width(
    spread: float, width: float, confidence: float, share: tuple[float, float] | None = None
) -> int | None:
    """Patients so that an interval is no wider than asked for.

    Args:
        spread: Spread between patients.
        width: Upper end less lower end.
        confidence: Level of the interval.
        share: For shares their value, and the part of the patients who have units: the interval is at least
            that of Wilson, as an evaluation gives it.

    Returns:
        The number; None above a million.
    """
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    needed = max(2, math.ceil((2 * normal * spread / width) ** 2))
    if share is not None and needed <= _MOST:
        needed = max(needed, _patients_for_wilson(*share, width, confidence))
    return needed if needed <= _MOST else None


def _patients_for_wilson(value: float, part: float, width: float, confidence: float) -> int:
    low, high = 1, _MOST + 1
    while low < high:  # the width falls with the number of trials
        middle = (low + high) // 2
        ends = wilson(value, max(1, int(middle * part)), confidence)
        low, high = (low, middle) if ends[1] - ends[0] <= width else (middle + 1, high)
    return low


def width_at(
    patients: int, spread: float, confidence: float, share: tuple[float, float] | None = None
) -> float:
    """Width of the interval with so many patients; arguments as those of `patients_for_width`."""
    width = 2 * NormalDist().inv_cdf((1 + confidence) / 2) * spread / math.sqrt(patients)
    if share is None:
        return width
    low, high = wilson(share[0], max(1, int(patients * share[1])), confidence)
    return max(width, high - low)


def plan_score(tables: Tables, rules: ScoringRules, key: str, width: float, confidence: float) -> StudyPlan:
    """How many patients one score needs for an interval of a width.

    Args:
        tables: Tables of the run's evaluation.
        rules: The rules that it was scored by.
        key: The score, a key of scores.json that is a quotient.
        width: Upper end less lower end, in the unit of the score.
        confidence: Level of the interval.

    Raises:
        ConfigError: if there is no such score, or the width is not above 0.
    """
    score = _score(key)
    if not width > 0:
        raise ConfigError(f"--width must be above 0; found {width:g}.")
    draw = Resampling(tables.patients, 0, confidence, rules.seed)
    quotient = quotient_of(score, tables, rules)
    with_units = draw.groups_with(quotient.denominator)
    plan = StudyPlan(
        score=key,
        patients=draw.num_groups,
        patients_with_units=with_units,
        width=width,
        confidence=confidence,
    )
    if not quotient.denominator.sum() or np.isnan(quotient.numerator).any():
        return plan.model_copy(update={"reason": f"{key} does not exist in this run"})
    plan.value = float(quotient.numerator.sum() / quotient.denominator.sum())
    if with_units < FEWEST_PATIENTS:
        plan.reason = _too_few(with_units, "that count in it")
        return plan
    influence = _influence(quotient, draw)
    plan.spread = float(_spreads(influence[None])[0])
    counts_units = isinstance(score.row, LesionScore) and score.row.proportion
    is_share = counts_units or (score.row.bounded and plan.spread == 0)
    share = (plan.value, with_units / draw.num_groups) if is_share else None
    if plan.spread == 0 and share is None:
        plan.reason = "it is the same in all patients, so their spread is not known"
        return plan

    def needed(spread: float) -> int | None:
        return patients_for_width(spread, width, confidence, share)

    plan.needed = needed(plan.spread)
    plan.needed_low, plan.needed_high = _range_of(influence, needed, rules.seed)
    plan.images_per_patient = len(tables) / draw.num_groups
    plan.widths = {
        str(patients): width_at(patients, plan.spread, confidence, share)
        for patients in sorted({draw.num_groups, *_STEPS})
    }
    return plan


def _score(key: str) -> SetScore:
    known = [score for score in (*SET_SCORES, *SET_LESION_SCORES) if has_quotient(score)]
    for score in known:
        if score.key == key:
            return score
    names = ", ".join(score.key for score in known)
    raise ConfigError(f"--score {key}: expected a score that is a mean or a share: {names}.")


def _too_few(patients: int, what: str) -> str:
    return (
        f"the run has {counted(patients, 'patient')} {what}; with fewer than {FEWEST_PATIENTS} the spread "
        "between patients is not known"
    )


def plan_paired(
    first: Tables,
    second: Tables,
    rules: ScoringRules,
    difference: float | None,
    power: float,
    confidence: float,
) -> list[PairedPlan]:
    """What a comparison of two methods on the same patients can show, for each score that is compared.

    Args:
        first: Tables of one run.
        second: Tables of the other, of the same images.
        rules: Bootstrap settings.
        difference: The smallest difference that matters; None plans none. The observed one is no substitute:
            it is as uncertain as the comparison was.
        power: Chance that such a difference is shown.
        confidence: 1 less the level of the two-sided test.

    Raises:
        ConfigError: if power or difference are out of range.
    """
    if not 0.5 <= power < 1:
        raise ConfigError(f"--power must lie between 0.5 and 1; found {power:g}.")
    if difference is not None and not difference > 0:
        raise ConfigError(f"--difference must be above 0; found {difference:g}.")
    draw = Resampling(first.patients, 0, confidence, rules.seed)
    return [
        _plan_difference(key, one, two, draw, rules.seed, difference, power, confidence)
        for key, _, one, two in paired_quotients(first, second)
    ]


def _plan_difference(
    key: str,
    first: Quotient,
    second: Quotient,
    draw: Resampling,
    seed: int,
    difference: float | None,
    power: float,
    confidence: float,
) -> PairedPlan:
    with_units = draw.groups_with(np.maximum(first.denominator, second.denominator))
    plan = PairedPlan(score=key, patients=draw.num_groups, power=power, confidence=confidence)
    if not first.denominator.sum() or not second.denominator.sum():
        return plan.model_copy(update={"reason": "it does not exist in both runs"})
    one, two = (float(part.numerator.sum() / part.denominator.sum()) for part in (first, second))
    plan.observed = two - one
    if with_units < FEWEST_PATIENTS:
        plan.reason = _too_few(with_units, "that count in it")
        return plan
    influence = _influence(second, draw) - _influence(first, draw)
    plan.spread = float(_spreads(influence[None])[0])
    if plan.spread == 0:
        plan.reason = "the runs differ in no patient, so the spread of differences is not known"
        return plan
    plan.detectable = detectable_difference(plan.spread, draw.num_groups, power, confidence)
    if difference is None:
        return plan

    def needed(spread: float) -> int | None:
        return patients_for_difference(spread, difference, power, confidence)

    plan.difference = difference
    plan.needed = needed(plan.spread)
    plan.needed_low, plan.needed_high = _range_of(influence, needed, seed)
    return plan


def detectable_difference(spread: float, patients: int, power: float, confidence: float) -> float:
    """The smallest difference that so many patients show with a given power, both runs on each patient.

    Source: Cohen (1988), Statistical Power Analysis, chapter 2 (paired t test).
    """
    freedom = patients - 1
    reach = stats.t.ppf((1 + confidence) / 2, freedom) + stats.t.ppf(power, freedom)
    return float(reach * spread / math.sqrt(patients))


def patients_for_difference(spread: float, difference: float, power: float, confidence: float) -> int | None:
    """Patients so that a difference is shown with a given power; None above a million."""
    low, high = 2, _MOST + 1
    while low < high:
        middle = (low + high) // 2
        reached = detectable_difference(spread, middle, power, confidence) <= difference
        low, high = (low, middle) if reached else (middle + 1, high)
    return low if low <= _MOST else None


def assumptions(patients_known: bool, paired: bool) -> Sequence[str]:
    """What a plan takes for granted, in sentences."""
    told = [
        "New patients are like those of this run: the same films a patient, the same share with lesions, the "
        "same spread.",
        "Patients are independent of each other; the images of one patient count together.",
        "The score is near the value of this run, and the number of patients is large enough for a normal "
        "approximation (30 or more).",
        "The range in brackets reflects that the spread itself was estimated from this run's patients.",
    ]
    if paired:
        told.append(
            "Both methods are applied to every patient, one score was chosen in advance, and the test is "
            "two-sided."
        )
    if not patients_known:
        told.append(
            "Not all patients are known; originals stand for them, so that more patients are needed than "
            "said here."
        )
    return told
