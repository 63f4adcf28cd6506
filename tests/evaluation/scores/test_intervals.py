"""Intervals: coverage on a known distribution, patients drawn whole, permutation p values."""

import itertools

import numpy as np
import pytest

from flexunet.evaluation.scores.intervals import Resampling, permutation_p, wilson


def drawn(values, groups=None, replicates=1000, seed=1):
    values = np.asarray(values, float)
    names = [str(index) for index in range(len(values))] if groups is None else groups
    return Resampling(names, replicates, 0.95, seed)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    inside = 0
    for trial in range(200):
        values = rng.normal(0.7, 0.1, 40)
        found = drawn(values, replicates=400, seed=trial).mean(values)
        inside += found.low <= 0.7 <= found.high
    assert 0.89 <= inside / 200 <= 0.99


def test_images_of_one_patient_are_drawn_together():
    # Ten patients of ten equal images each: the images add nothing, so the interval is that of ten values.
    rng = np.random.default_rng(2)
    by_patient = rng.normal(size=10)
    values = np.repeat(by_patient, 10)
    grouped = drawn(values, [str(index // 10) for index in range(100)]).mean(values)
    alone = drawn(by_patient).mean(by_patient)
    naive = drawn(values).mean(values)
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.15)
    assert naive.high - naive.low < 0.5 * (grouped.high - grouped.low)


def test_a_quotient_of_sums():
    found = drawn([0, 0]).ratio(np.array([1.0, 2.0]), np.array([4.0, 0.0]))
    assert found.value == pytest.approx(3 / 4)
    assert found.images == 1


def test_nan_images_are_left_out():
    values = np.array([0.5, np.nan, 1.0])
    draw = drawn(values)
    assert (draw.mean(values).value, draw.mean(values).images) == (0.75, 2)
    assert (draw.median(values).value, draw.median(values).images) == (0.75, 2)


def test_the_median_of_each_replicate_is_the_median_of_its_images():
    rng = np.random.default_rng(4)
    values = np.round(rng.random(9), 2)
    draw = Resampling([str(index // 2) for index in range(9)], 50, 0.9, 3)
    weights = np.concatenate(list(draw.image_weights())).astype(int)
    expected = [np.median(np.repeat(values, row)) for row in weights]
    found = draw.median(values)
    assert found.low == pytest.approx(np.quantile(expected, 0.05))
    assert found.high == pytest.approx(np.quantile(expected, 0.95))


def test_any_statistic_of_weights():
    values = np.arange(6.0)
    draw = drawn(values)
    mean = draw.mean(values)
    (found,) = draw.statistic(lambda weights: weights @ values / weights.sum(axis=1))
    assert (found.value, found.low, found.high) == pytest.approx((mean.value, mean.low, mean.high))


def test_one_patient_has_no_interval():
    found = Resampling(["a", "a"], 100, 0.95, 1).mean(np.array([0.2, 0.4]))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (None, None)


def test_nothing_to_divide_by_has_no_value():
    found = drawn([0, 0]).mean(np.array([np.nan, np.nan]))
    assert (found.value, found.low, found.high, found.images) == (None, None, None, 0)


@pytest.mark.parametrize("groups", [5, 30])
def test_identical_runs_have_p_1(groups):
    values = np.random.default_rng(1).random(groups), np.ones(groups)
    assert permutation_p(values, values, 500, 3) == 1


def test_p_by_all_swaps_worked_by_hand():
    # Differences 0.1, 0.2 and 0.3 of three patients: of the 8 sign patterns only +++ and --- reach 0.6.
    first = np.zeros(3), np.ones(3)
    second = np.array([0.1, 0.2, 0.3]), np.ones(3)
    assert permutation_p(first, second, 1000, 1) == pytest.approx(2 / 8)


def test_random_swaps_agree_with_all_swaps():
    rng = np.random.default_rng(8)
    first, second = rng.random(14), rng.random(14) + 0.15
    observed = abs((second - first).sum())
    signs = np.array(list(itertools.product((-1, 1), repeat=14)))
    exact = np.mean(np.abs(signs @ (second - first)) >= observed - 1e-12)
    found = permutation_p((first, np.ones(14)), (second, np.ones(14)), 5000, 2)
    assert found == pytest.approx(exact, abs=0.02)


def test_a_clear_difference_is_seen():
    rng = np.random.default_rng(9)
    first = rng.normal(0.5, 0.05, 40)
    assert permutation_p((first, np.ones(40)), (first + 0.1, np.ones(40)), 999, 1) == pytest.approx(1 / 1000)


def test_more_candidates_than_memory_means_fewer_replicates_not_more_memory():
    draw = Resampling([str(index) for index in range(50)], 2000, 0.95, 1)
    blocks = [len(block) for block in draw.image_weights(width=250_000)]
    assert sum(blocks) == 400
    assert max(blocks) <= 2


def test_shares_at_their_ends_keep_a_width():
    # z = 1.95996: 24 of 24 give 24 / (24 + z^2) to 1, none of 24 give 0 to z^2 / (24 + z^2).
    draw = Resampling([str(i) for i in range(24)], 500, 0.95, 1)
    every = draw.proportion(np.ones(24), np.ones(24))
    assert (every.low, every.high) == (pytest.approx(0.86202, abs=1e-5), 1)
    none = draw.proportion(np.zeros(24), np.ones(24))
    assert (none.low, none.high) == (0, pytest.approx(0.13798, abs=1e-5))


def test_lesions_of_one_patient_count_as_one_trial():
    # 24 lesions of 4 patients, all found: 4 / (4 + z^2).
    draw = Resampling([str(i % 4) for i in range(24)], 500, 0.95, 1)
    assert draw.proportion(np.ones(24), np.ones(24)).low == pytest.approx(0.51011, abs=1e-5)


def test_one_patient_or_one_lesion_gives_no_interval():
    alone = Resampling(["a"] * 5, 500, 0.95, 1).proportion(np.ones(5), np.ones(5))
    assert (alone.value, alone.low, alone.high) == (1, None, None)
    lesion = np.array([0, 0, 1, 0, 0])
    one = Resampling(list("abcde"), 500, 0.95, 1).proportion(lesion, lesion)
    assert (one.value, one.low, one.high) == (1, None, None)


def test_an_interval_that_vanishes_is_honest_or_none():
    draw = Resampling([str(index) for index in range(24)], 200, 0.95, 1)
    perfect = draw.mean(np.ones(24))
    assert (perfect.low, perfect.high) == (1, 1)
    low, high = wilson(1.0, 24, 0.95)
    found = draw.honest(perfect, np.ones(24), bounded=True)
    assert (found.value, found.low, found.high) == (1, low, high)
    assert low == pytest.approx(0.862, abs=1e-3)
    found = draw.honest(draw.mean(np.zeros(24)), np.ones(24), bounded=True)
    assert (found.low, found.high) == (0, pytest.approx(1 - low))
    found = draw.honest(draw.mean(np.zeros(24)), np.ones(24), bounded=False)
    assert (found.value, found.low, found.high, found.images) == (0, None, None, 24)
    spread = draw.mean(np.linspace(0, 1, 24))
    assert draw.honest(spread, np.ones(24), bounded=True) == spread
