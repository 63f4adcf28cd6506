"""Comparison of two runs: identical, better, and what cannot be compared."""

import numpy as np
import pytest

from flexunet.errors import DatasetError
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import compare_runs, compare_tables, distinct_names
from flexunet.evaluation.tables.files import write_tables

RULES = ScoringRules(bootstrap_samples=300)


def by_name(comparison):
    return {one.name: one for one in comparison.scores}


def test_identical_runs_differ_by_nothing(make_tables):
    found = compare_tables(make_tables(), make_tables(), ("a", "b"), RULES)
    assert found.images == 12
    assert found.patients == 4
    for one in found.scores:
        assert (one.difference.value, one.difference.low, one.difference.high) == (0, 0, 0), one.name
        assert one.p_value == 1


def test_a_run_that_predicts_nothing_loses(make_tables):
    found = by_name(
        compare_tables(make_tables(images=30), make_tables(images=30, noise=1.0), ("good", "empty"), RULES)
    )
    dice = found["dice_per_image_mean_paired"]
    assert dice.second == pytest.approx(found["dice_per_image_mean_paired"].first + dice.difference.value)
    assert dice.difference.high < 0
    assert dice.p_value < 0.01
    assert found["sensitivity"].second == 0
    assert found["false_positives_per_image"].difference.value <= 0


def test_a_false_alarm_on_an_image_without_lesion_costs(make_tables):
    first, second = make_tables(), make_tables()
    empty = np.flatnonzero(first.truth[:, 1] == 0)
    assert len(empty) > 0
    second.predicted[empty[0], 1] = 50
    found = by_name(compare_tables(first, second, ("a", "b"), RULES))
    counted = np.count_nonzero(first.truth[:, 1]) + 1
    # Silence counts 1 there, the alarm 0; the other empty images are left out.
    assert found["dice_per_image_mean_paired"].difference.value == pytest.approx(-1 / counted)
    assert found["dice_per_image_mean_paired"].difference.images == counted


def test_only_shared_images_are_compared(make_tables):
    first, second = make_tables(), make_tables(images=15)
    second = second.subset(np.arange(15) >= 3)
    # The drawn masks of the first 12 images are the same in both.
    found = compare_tables(first, second, ("a", "b"), RULES)
    assert (found.images, found.only_in_first, found.only_in_second) == (9, 3, 3)


def test_different_masks_are_refused(make_tables):
    with pytest.raises(DatasetError, match="scored against different masks"):
        compare_tables(make_tables(1), make_tables(3), ("a", "b"), RULES)


def test_folders_are_compared_by_their_files(make_tables, tmp_path):
    for name in ("a", "b"):
        write_tables(make_tables(), tmp_path / name / "evaluation")
    found = compare_runs(tmp_path / "a", tmp_path / "b", RULES)
    assert (found.first, found.second) == ("a", "b")
    assert all(one.p_value == 1 for one in found.scores)


def test_names_are_as_short_as_tells_them_apart(tmp_path):
    assert distinct_names(tmp_path / "x" / "run", tmp_path / "y" / "run") == ("x/run", "y/run")
    assert distinct_names(tmp_path / "run", tmp_path / "run") == ("run (A)", "run (B)")
