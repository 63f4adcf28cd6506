"""Learning rates by their formulas."""

import math

import keras
import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.training.optimizer.build import build_optimizer
from flexunet.training.optimizer.pace import Pace
from flexunet.training.optimizer.schedules import WarmUp, learning_rate

# Five updates an epoch (9 steps in groups of 2), 20 in all.
PACE = Pace(steps=9, group=2)


def configured(learning_rate=0.1, **train):
    return Config(model={"learning_rate": learning_rate}, train={"epochs": 4, **train})


def rates(config, updates=range(21)):
    """Learning rate of each update, as the optimizer sees it."""
    optimizer = build_optimizer(config, PACE)
    found = []
    for update in updates:
        optimizer.inner_optimizer.iterations.assign(update)
        found.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    return found


@pytest.mark.engines
def test_cosine_after_four_updates_of_warm_up():
    expected = [0.025, 0.05, 0.075, 0.1] + [
        0.01 + 0.09 * (1 + math.cos(math.pi * update / 16)) / 2 for update in range(17)
    ]
    assert expected[12] == pytest.approx(0.055)  # half the way down
    config = configured(learning_rate_schedule="cosine", learning_rate_end=0.01, warmup_steps=4)
    assert rates(config) == pytest.approx(expected, rel=1e-5)


@pytest.mark.engines
def test_polynomial_after_one_epoch_of_warm_up():
    expected = [0.02, 0.04, 0.06, 0.08, 0.1] + [0.1 * (1 - update / 15) ** 2 for update in range(16)]
    config = configured(learning_rate_schedule="polynomial", schedule_power=2.0, warmup_epochs=1.0)
    assert rates(config) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_a_polynomial_of_power_one_is_a_line_and_stays_at_its_end():
    config = configured(learning_rate_schedule="polynomial", schedule_power=1.0, learning_rate_end=0.02)
    assert rates(config, [0, 10, 20, 30]) == pytest.approx([0.1, 0.06, 0.02, 0.02], rel=1e-5)


@pytest.mark.engines
def test_warm_up_alone_then_constant():
    assert rates(configured(warmup_steps=2), [0, 1, 2, 19]) == pytest.approx([0.05, 0.1, 0.1, 0.1])


def test_without_a_schedule_the_rate_is_a_number_that_a_reducer_can_set():
    assert learning_rate(configured(), PACE) == 0.1
    # A model that is only evaluated has no pace.
    assert learning_rate(configured(learning_rate_schedule="cosine"), None) == 0.1


def test_a_warm_up_as_long_as_the_run_is_refused():
    with pytest.raises(ConfigError, match=r"takes 20 updates .* the run has 20 \(4 epochs of 5\)"):
        learning_rate(configured(warmup_epochs=4.0), PACE)


@pytest.mark.parametrize("settings", [{"learning_rate_schedule": "cosine"}, {}])
def test_a_saved_schedule_comes_back(settings):
    schedule = learning_rate(configured(warmup_steps=3, **settings), PACE)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(again) is WarmUp
    for update in (0, 2, 3, 12):
        assert float(again(update)) == float(schedule(update))
