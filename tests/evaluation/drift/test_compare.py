"""Drift of measures: the index and corrections by hand, what chance gives, and when nothing is said."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from flexunet.evaluation.drift.compare import FEWEST, MAJOR, bins_of, compare, holm, stability_index
from flexunet.evaluation.drift.measures import BY_NAME, MEASURES, ImageMeasures


def images(values, name="confidence", per_patient=1):
    return [ImageMeasures(str(k), str(k // per_patient), {name: value}) for k, value in enumerate(values)]


def of(differences, name):
    return next(one for one in differences if one.measure.name == name)


def test_the_index_by_hand():
    # Shares 0.25, 0.75 and 0.75, 0.25 after half an image in each bin.
    expected = 2 * 0.5 * math.log(3)
    assert stability_index([0.5, 2.5], [2.5, 0.5]) == pytest.approx(expected)
    assert stability_index([7, 3, 0], [7, 3, 0]) == 0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_index_is_symmetric_and_never_negative(counts, random):
    others = random.sample(counts, len(counts))
    assert stability_index(counts, others) == pytest.approx(stability_index(others, counts))
    assert stability_index(counts, others) >= 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=30)
def test_holm_lies_between_the_p_value_and_bonferroni(p_values):
    for p, corrected in zip(p_values, holm(p_values), strict=True):
        assert p <= corrected <= min(1, len(p_values) * p) + 1e-12


@pytest.mark.parametrize("other", [0.0, 9.0])
def test_a_value_that_all_share_has_a_bin_of_its_own(other):
    assert len(bins_of(np.full(30, 4.0))) == 2
    assert len(bins_of(np.arange(100.0))) == 9
    assert of(compare(images([4.0] * 60), images([other] * 30)), "confidence").answer == "drift"


def test_a_shift_is_drift_and_the_distance_is_that_of_scipy():
    rng = np.random.default_rng(3)
    before, now = rng.normal(0, 1, 200), rng.normal(1.5, 1, 60)
    one = of(compare(images(before), images(now)), "confidence")
    assert one.answer == "drift"
    assert one.distance == pytest.approx(ks_2samp(before, now).statistic)
    assert one.p == pytest.approx(ks_2samp(before, now, method="asymp").pvalue, rel=0.5)
    assert one.psi > MAJOR
    assert one.medians == (np.median(before), np.median(now))
    assert 0 < one.detectable < one.distance


def test_images_of_few_patients_prove_less():
    rng = np.random.default_rng(3)
    before, now = rng.normal(0, 1, 200), rng.normal(0.6, 1, 120)
    alone = of(compare(images(before), images(now)), "confidence")
    clustered = of(compare(images(before, per_patient=10), images(now, per_patient=10)), "confidence")
    assert alone.distance == clustered.distance
    assert alone.answer != "none shown"
    assert clustered.p > 100 * alone.p
    assert clustered.answer == "none shown"


def test_the_same_kind_of_images_shows_no_drift_in_any_measure():
    rng = np.random.default_rng(11)

    def draw(count):
        numbers = [measure.name for measure in MEASURES if measure.numeric]
        words = [measure.name for measure in MEASURES if not measure.numeric]
        return [
            ImageMeasures(
                str(k),
                str(k),
                {name: float(rng.gamma(2)) for name in numbers}
                | {name: str(rng.choice(["a", "b", "c"], p=[0.7, 0.25, 0.05])) for name in words},
            )
            for k in range(count)
        ]

    for _ in range(8):
        differences = compare(draw(150), draw(40))
        assert {one.answer for one in differences} == {"none shown"}


def test_words_that_change_and_words_that_are_new():
    before = images(["GE"] * 60 + ["HOLOGIC"] * 40, "manufacturer")
    now = images(["GE"] * 5 + ["HOLOGIC"] * 25 + ["SIEMENS"] * 20, "manufacturer")
    one = of(compare(before, now), "manufacturer")
    assert one.answer == "drift"
    assert one.medians == (0.6, 0.1)
    assert of(compare(before, before[::2]), "manufacturer").answer == "none shown"


def test_too_few_and_not_known_are_answers():
    few = compare(images([1.0] * 50), images([9.0] * (FEWEST - 1)))
    assert of(few, "confidence").answer == "too few"
    assert of(few, "confidence").p is None
    assert of(few, "view").answer == "not known"
    of_one_patient = images([9.0] * 40, per_patient=40)
    assert of(compare(images([1.0] * 50), of_one_patient), "confidence").answer == "too few"


def test_every_measure_has_a_name_of_its_own_fit_for_a_label():
    assert len(BY_NAME) == len(MEASURES)
    assert all(name.replace("_", "").isalnum() for name in BY_NAME)
