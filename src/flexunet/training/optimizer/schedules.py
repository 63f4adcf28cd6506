"""How the learning rate moves over a run: constant, cosine or polynomial, each after a linear warm-up.

Counted in updates of the weights, which are steps unless gradients are accumulated. With W updates of warm-up
of T in all, the configured learning rate r, that of the end e, and p = (t - W) / (T - W), update t, from 0
on, is made with

    r * (t + 1) / W                              before W
    r                                            constant
    e + (r - e) * (1 + cos(pi * p)) / 2          cosine
    e + (r - e) * (1 - p) ** power               polynomial

Source: Goyal, P. et al. (2017), Accurate, large minibatch SGD, arXiv:1706.02677 (warm-up); Loshchilov, I. and
Hutter, F. (2017), SGDR, ICLR (cosine); Chen, L.-C. et al. (2018), DeepLab, IEEE TPAMI 40(4), 834-848
(polynomial, power 0.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from flexunet.errors import ConfigError
from flexunet.training.optimizer.pace import Pace

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def learning_rate(config: Config, pace: Pace | None) -> float | LearningRateSchedule:
    """The learning rate that the configuration describes: a number, where it never moves by itself.

    Args:
        config: The configuration.
        pace: That of the run; none for a model that is not trained.

    Raises:
        ConfigError: if the warm-up is as long as the run.
    """
    model, train = config.model, config.train
    if pace is None or not train.moves_learning_rate():
        return model.learning_rate
    warmup = train.warmup_steps or round(train.warmup_epochs * pace.updates)
    total = train.epochs * pace.updates
    if warmup >= total:
        raise ConfigError(
            f"the warm-up takes {warmup} updates ([train] warmup_steps = {train.warmup_steps}, "
            f"warmup_epochs = {train.warmup_epochs:g}), and the run has {total} ({train.epochs} epochs of "
            f"{pace.updates}): make it shorter, or epochs more."
        )
    settings = {"initial_learning_rate": model.learning_rate, "decay_steps": total - warmup}
    after: LearningRateSchedule | None = None
    if train.learning_rate_schedule == "cosine":
        alpha = train.learning_rate_end / model.learning_rate
        after = keras.optimizers.schedules.CosineDecay(**settings, alpha=alpha)
    elif train.learning_rate_schedule == "polynomial":
        after = keras.optimizers.schedules.PolynomialDecay(
            **settings, end_learning_rate=train.learning_rate_end, power=train.schedule_power
        )
    return WarmUp(model.learning_rate, warmup, after) if warmup or after is None else after


@keras.saving.register_keras_serializable(package="flexunet")
class WarmUp(LearningRateSchedule):
    """Rises in equal steps to a learning rate, and then follows another schedule.

    Args:
        learning_rate: That of the last update of the warm-up.
        steps: Updates of the warm-up.
        after: What follows, counted from its own 0; none: the learning rate stays.
    """

    def __init__(self, learning_rate: float, steps: int, after: LearningRateSchedule | None = None):
        super().__init__()
        self.learning_rate = learning_rate
        self.steps = steps
        self.after = after

    def __call__(self, step: Any) -> Any:
        """Learning rate of an update, counted from 0; a scalar."""
        step = keras.ops.cast(step, "float32")
        rising = self.learning_rate * (step + 1) / max(self.steps, 1)
        following = self.after(step - self.steps) if self.after else self.learning_rate
        return keras.ops.where(step < self.steps, rising, following)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same again from."""
        after = keras.saving.serialize_keras_object(self.after) if self.after else None
        return {"learning_rate": self.learning_rate, "steps": self.steps, "after": after}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        """The inverse of `get_config`."""
        after = config["after"]
        return cls(**{**config, "after": keras.saving.deserialize_keras_object(after) if after else None})
