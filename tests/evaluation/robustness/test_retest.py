"""Pairs of films of one breast, and how far their areas agree: values worked by hand."""

import numpy as np
import pytest

from flexunet.evaluation.robustness.agreement import agreement
from flexunet.evaluation.robustness.retest import PAIRINGS, find_pairs_of_films
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.rows import ImageOrigin

RULES = ScoringRules(bootstrap_samples=200)
VIEWS, MODALITIES = PAIRINGS


def origin(source, patient, **attributes):
    return ImageOrigin(source, source, patient, {"operation": "original", **attributes})


def test_agreement_by_hand():
    first, second = np.array([1.0, 2, 3, 0]), np.array([2.0, 2, 5, 0])
    told = agreement(first, second, ["a", "b", "c", "d"], RULES)
    assert (told.present_in_both, told.present_in_one, told.present_in_none) == (3, 0, 1)
    assert told.same_presence.value == told.kappa.value == 1
    # Differences 1, 0, 2, 0: mean 0.75, sample deviation 0.957427.
    assert told.bias.value == pytest.approx(0.75)
    assert told.lower_limit.value == pytest.approx(0.75 - 1.96 * 0.9574271)
    assert told.upper_limit.value == pytest.approx(0.75 + 1.96 * 0.9574271)
    # Means 1.5 and 2.25, variances 1.25 and 3.1875, covariance 1.875.
    assert told.concordance.value == pytest.approx(2 * 1.875 / (1.25 + 3.1875 + 0.75**2))
    assert told.bias.low <= 0.75 <= told.bias.high
    assert told.same_presence.low < 1  # four patients prove no certainty


def test_kappa_by_hand_and_where_it_does_not_exist():
    first = np.array([1.0] * 4 + [0] * 6)
    second = np.array([1.0] * 3 + [0] * 6 + [1])
    told = agreement(first, second, [str(k) for k in range(10)], RULES)
    # Equal in 8 of 10; by chance 0.4 * 0.4 + 0.6 * 0.6 = 0.52.
    assert told.kappa.value == pytest.approx((0.8 - 0.52) / 0.48)
    always = agreement(first + 1, second + 1, [str(k) for k in range(10)], RULES)
    assert always.kappa.value is None
    assert always.same_presence.value == 1


def test_limits_agree_with_the_formula_of_a_sample():
    rng = np.random.default_rng(5)
    first = rng.gamma(2, 3, 30)
    second = first + rng.normal(0.5, 1, 30)
    told = agreement(first, second, [str(k) for k in range(30)], RULES)
    differences = second - first
    expected = differences.mean() + 1.96 * differences.std(ddof=1)
    assert told.upper_limit.value == pytest.approx(expected)


def test_pairs_are_of_one_patient_side_and_kind():
    origins = [
        origin("P1_L_DM_CC", "P1"),
        origin("P1_L_DM_MLO", "P1"),
        origin("P1_R_DM_MLO", "P1"),
        origin("P1_L_CM_MLO", "P1"),
        origin("P2_L_DM_MLO", "P2"),
        origin("mdb001", "mdb001"),
    ]
    assert find_pairs_of_films(VIEWS, origins) == [(0, 1)]
    assert find_pairs_of_films(MODALITIES, origins) == [(1, 3)]


def test_of_several_copies_the_original_counts_and_a_film_is_in_one_pair():
    origins = [
        ImageOrigin("flipped_P1_L_DM_CC", "P1_L_DM_CC", "P1", {"operation": "vflip"}),
        origin("P1_L_DM_CC", "P1"),
        ImageOrigin("mirrored_P1_L_DM_MLO", "P1_L_DM_MLO", "P1", {"operation": "hflip"}),
    ]
    assert find_pairs_of_films(VIEWS, origins) == [(1, 2)]
