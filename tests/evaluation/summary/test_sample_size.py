"""Plans of studies: by hand, and against simulated studies of the planned size."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.color_map import ColorMap
from flexunet.errors import ConfigError
from flexunet.evaluation.report.outputs import write_evaluation
from flexunet.evaluation.scores.intervals import Resampling, permutation_p
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.quotients import Quotient
from flexunet.evaluation.summary.sample_size import (
    detectable_difference,
    patients_for_difference,
    patients_for_width,
    plan_paired,
    plan_score,
    spread_between,
    width_at,
)

RULES = ScoringRules(bootstrap_samples=50)


def drawn(patients, rng):
    """Two images a patient whose scores resemble each other: spread between patients is what counts."""
    own = rng.beta(4, 2, patients)
    scores = np.clip(own[:, None] + rng.normal(0, 0.05, (patients, 2)), 0, 1).ravel()
    groups = [str(patient) for patient in np.repeat(np.arange(patients), 2)]
    return Quotient(scores, np.ones(len(scores))), groups


def test_the_spread_of_plain_means_is_their_standard_deviation():
    values = np.array([0.2, 0.5, 0.9, 0.4])
    draw = Resampling([*"abcd"], 0, 0.95, 1)
    assert spread_between(Quotient(values, np.ones(4)), draw) == pytest.approx(values.std(ddof=1))
    # Patients with twice as many images weigh twice: by hand for two patients, 1 of 1 and 0 of 3.
    quotient = Quotient(np.array([1.0, 0.0]), np.array([1.0, 3.0]))
    # R = 1/4, residuals 3/4 and -3/4, mean denominator 2: influences 3/8 and -3/8.
    assert spread_between(quotient, Resampling(["a", "b"], 0, 0.95, 1)) == pytest.approx(3 / 8 * 2**0.5)


def test_widths_worked_by_hand():
    # 2 x 1.96 x 0.25 / 0.1 = 9.8, squared 96.04.
    assert patients_for_width(0.25, 0.1, 0.95) == 97
    assert width_at(97, 0.25, 0.95) < 0.1 < width_at(96, 0.25, 0.95)
    # All found: no spread, and Wilson's interval of 73 of 73 is from 0.950, that of 72 from 0.949.
    assert patients_for_width(0.0, 0.05, 0.95, (1.0, 1.0)) == 73
    assert patients_for_width(0.0, 0.05, 0.95, (1.0, 0.5)) == 146
    assert patients_for_width(100.0, 0.001, 0.95) is None


@settings(max_examples=40, deadline=None)
@given(
    spread=st.floats(0.01, 2),
    width=st.floats(0.02, 1),
    power=st.floats(0.5, 0.99),
    difference=st.floats(0.02, 1),
)
def test_no_fewer_patients_would_do(spread, width, power, difference):
    needed = patients_for_width(spread, width, 0.95)
    assert width_at(needed, spread, 0.95) <= width
    assert needed == 2 or width_at(needed - 1, spread, 0.95) > width
    needed = patients_for_difference(spread, difference, power, 0.95)
    assert detectable_difference(spread, needed, power, 0.95) <= difference
    assert needed == 2 or detectable_difference(spread, needed - 1, power, 0.95) > difference


def test_simulated_studies_have_the_width_that_was_planned():
    rng = np.random.default_rng(5)
    pilot, groups = drawn(400, rng)
    spread = spread_between(pilot, Resampling(groups, 0, 0.95, 1))
    needed = patients_for_width(spread, 0.12, 0.95)
    widths = []
    for seed in range(40):
        study, groups = drawn(needed, rng)
        estimate = Resampling(groups, 500, 0.95, seed).ratio(*study)
        widths.append(estimate.high - estimate.low)
    assert np.mean(widths) == pytest.approx(0.12, rel=0.12)


def test_simulated_comparisons_have_the_power_that_was_planned():
    rng = np.random.default_rng(6)
    spread, difference = 0.2, 0.1
    needed = patients_for_difference(spread, difference, 0.8, 0.95)
    assert needed == 34  # the paired t test of the textbook: 33.4
    ones, shown = np.ones(needed), 0
    for seed in range(150):
        change = rng.normal(difference, spread, needed)
        base = rng.uniform(0.3, 0.6, needed)
        shown += permutation_p((base, ones), (base + change, ones), 500, seed) <= 0.05
    assert 0.68 < shown / 150 < 0.92


def test_what_the_run_does_not_carry_is_not_known(make_tables):
    few = make_tables(images=12)  # four patients
    plan = plan_score(few, RULES, "dice_per_image_mean", 0.1, 0.95)
    assert plan.needed is None
    assert "fewer than 10" in plan.reason
    assert plan.value == pytest.approx(np.nanmean(few.by_image()["dice"]))
    many = make_tables(images=60)
    assert plan_score(many, RULES, "dice_per_image_mean", 0.1, 0.95).reason == ""
    paired = plan_paired(many, many, RULES, 0.05, 0.8, 0.95)
    assert all("differ in no patient" in one.reason for one in paired)
    assert "does not exist" in plan_score(many, RULES, "hausdorff_95_mm_mean", 5, 0.95).reason
    for key in ("dice_per_image_median", "average_precision", "nonsense"):
        with pytest.raises(ConfigError, match="a mean or a share: dice_per_image_mean"):
            plan_score(many, RULES, key, 0.1, 0.95)
    with pytest.raises(ConfigError, match="--width must be above 0"):
        plan_score(many, RULES, "sensitivity", 0, 0.95)


def test_the_command_plans_from_two_runs(make_tables, tmp_path):
    for name, noise in (("one", 0.0), ("two", 0.3)):
        tables = make_tables(images=60, noise=noise)
        scores = make_scores(tables, RULES, Circumstances("t", "p", ColorMap.binary()))
        write_evaluation(tmp_path / name, scores, tables, title=name)

    def run(*arguments):
        return CliRunner().invoke(app, ["plan-study", *map(str, arguments)], env={"COLUMNS": "200"})

    found = run(tmp_path / "two", "--width", "0.2")
    assert found.exit_code == 0, found.output
    assert "This assumes:" in found.output
    assert "originals stand for them" in found.output
    plans = json.loads(run(tmp_path / "two", "--json").output)["plans"]
    assert [plan["score"] for plan in plans] == ["dice_per_image_mean", "sensitivity"]
    assert plans[0]["needed_low"] <= plans[0]["needed"] <= plans[0]["needed_high"]
    shown = json.loads(run(tmp_path / "one", "--against", tmp_path / "two", "--json").output)["plans"]
    assert all(plan["needed"] is None for plan in shown)  # the observed difference is no plan
    planned = run(
        *(tmp_path / "one", "--against", tmp_path / "two", "--difference", 0.1, "--score"),
        *("dice_per_image_mean", "--json"),
    )
    (one,) = json.loads(planned.output)["plans"]
    assert one["detectable"] > 0
    assert one["needed"] >= 2
    assert "goes with --against" in str(run(tmp_path / "one", "--difference", 0.1).exception)
