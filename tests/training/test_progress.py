"""The time that is left, as the bars of a run with long epochs tell it."""

import io

import pytest
from rich.console import Console

from flexunet.progress import in_bars, progress_bars
from flexunet.training.follow.callbacks import BestCheckpoint, ShowProgress


@pytest.fixture
def run():
    """Bars whose clock the test sets, and what they show in a window of 80 columns."""
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    bars = progress_bars(screen)
    clock = [0.0]
    bars.get_time = lambda: clock[0]
    best = BestCheckpoint(None, "val_loss")
    best.best, best.best_epoch = 0.1234, 1
    return bars, clock, ShowProgress(in_bars(bars), 100, 50, 4, best), screen


def step_through(callback, clock, epoch, steps, seconds):
    callback.on_epoch_begin(epoch)
    for batch in range(steps):
        clock[0] += seconds
        callback.on_train_batch_end(batch, {"loss": 0.5})


def test_time_left_within_the_first_epoch_and_after_epochs_of_minutes(run):
    bars, clock, callback, _ = run
    step_through(callback, clock, 0, 10, 8.0)
    # 10 of 5000 steps in 8 seconds each.
    assert bars.tasks[0].time_remaining == pytest.approx(4990 * 8, abs=1)
    step_through(callback, clock, 0, 50, 8.0)
    callback.on_epoch_end(0, {"val_loss": 0.2})
    step_through(callback, clock, 1, 50, 8.0)
    callback.on_epoch_end(1, {"val_loss": 0.2})
    assert bars.tasks[0].time_remaining == pytest.approx(98 * 400, rel=0.1)


def test_a_resumed_run_does_not_count_the_epochs_that_others_trained(run):
    bars, clock, callback, _ = run
    step_through(callback, clock, 60, 20, 8.0)
    assert bars.tasks[0].time_remaining == pytest.approx((40 * 50 - 20) * 8, rel=0.06)


def test_in_a_narrow_window_counts_and_times_stay_whole(run):
    bars, clock, callback, screen = run
    step_through(callback, clock, 60, 20, 8.0)
    callback.on_epoch_end(60, {"val_loss": 0.2})
    with screen.capture() as captured:
        screen.print(bars.get_renderable())
    first, second = captured.get().splitlines()[:2]
    assert "61/100" in first
    assert "left" in first
    assert ":" in first.split("left")[1].split()[0]
    assert "val_loss 0.2000" in first
    assert "images/s" in second
