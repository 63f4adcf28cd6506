"""A budget: what is timed, which model follows from it, and what is said where none fits."""

from dataclasses import replace

import pytest

from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.data.statistics.count import measure_dataset
from flexunet.errors import OutOfMemoryError
from flexunet.machine import Machine
from flexunet.planning.budget import Timing, choose, fit_to_budget, ladder_of
from flexunet.planning.dataset_facts import facts_of
from flexunet.planning.rules import Draft
from flexunet.progress import silent

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)
HOUR = 3600.0
VAST = (2**31, 16)  # 128 GiB for the first convolution's output alone


@pytest.fixture(scope="module")
def draft(tmp_path_factory):
    folder = tmp_path_factory.mktemp("budget") / "films"
    write_phantom_dataset(folder, 5, splits={"train": 0.4, "valid": 0.6}, width=48, height=64)
    return Draft(facts_of(measure_dataset(folder)), LAPTOP, 2**16, 16)


def reasons(plan):
    return {decision.key: decision.reason for decision in plan.decisions}


def test_validation_and_statistics_are_timed_and_said(draft):
    plan, timings, notes = fit_to_budget(draft, HOUR, silent, ladder=((2**16, 4),))
    (timing,) = timings
    assert timing.chosen
    assert min(timing.seconds, timing.statistics, timing.validation, timing.start) > 0
    epoch = 50 * timing.seconds + timing.statistics + timing.validation
    assert timing.steps // 50 == pytest.approx((0.9 * HOUR - timing.start) / epoch, abs=1.1)
    assert "statistics of normalisation" in reasons(plan)["epochs"]
    assert "for validation" in reasons(plan)["epochs"]
    assert notes == []


def test_models_that_are_the_same_are_timed_once(draft):
    """48 x 64 is less than all of these."""
    _, timings, notes = fit_to_budget(draft, 1.0, silent, ladder=((2**16, 4), (2**15, 4), (2**14, 4)))
    assert len(timings) == 1
    assert timings[0].steps == 0
    assert "budget of 1 s cannot be met: 4 epochs" in notes[0]


def test_a_model_that_does_not_fit_into_memory_is_passed_over(draft):
    large = replace(draft, facts=replace(draft.facts, width=2**16, height=2**16, foreground=0.5))
    plan, timings, _ = fit_to_budget(large, HOUR, silent, ladder=(VAST, (2**12, 4)))
    assert "GiB" in timings[0].problem
    assert [timing.chosen for timing in timings] == [False, True]
    assert plan["model.image_width"] == 64
    with pytest.raises(OutOfMemoryError, match="GiB"):
        fit_to_budget(large, HOUR, silent, ladder=(VAST,))


def test_where_none_makes_enough_steps_a_smaller_model_must_save_half_the_time():
    """Epochs of 50, 20 and 15 seconds: the second takes less than twice as long as the fastest."""
    timings = [
        Timing(256, 256, 16, seconds, steps=steps) for seconds, steps in ((1.0, 100), (0.4, 250), (0.3, 350))
    ]
    assert choose(timings) == 1
    # With enough steps of the last one, that is chosen.
    assert choose([*timings[:2], replace(timings[2], steps=800)]) == 2


@pytest.mark.parametrize(
    ("memory", "models"),
    [
        (None, [(2**20, 32), (2**19, 32), (2**17, 32), (2**16, 24)]),
        (24.0, [(2**20, 32), (2**19, 32), (2**17, 32), (2**16, 24)]),
        (
            8.0,
            [(2**19, 32), (2**17, 32), (2**16, 24)],
        ),  # two images of 2**20 pixels would take 6.9 of 5.4 GiB
        (1.0, [(2**16, 24)]),  # nothing is left for any; the smallest is tried all the same
    ],
)
def test_models_that_a_gpu_cannot_hold_are_not_timed(memory, models):
    machine = Machine(cores=8, memory=64.0, has_gpu=True, gpu_memory=memory)
    assert list(ladder_of(machine)) == models


def test_a_processor_is_timed_with_smaller_models():
    assert max(ladder_of(LAPTOP)) == (2**17, 16)
