"""Optimizers by name, as the configuration sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import ConfigError
from flexunet.training.objectives.names import unknown_name
from flexunet.training.optimizer.accumulation import Accumulation
from flexunet.training.optimizer.compiled_update import Adam, AdamW
from flexunet.training.optimizer.pace import Pace
from flexunet.training.optimizer.schedules import learning_rate

if TYPE_CHECKING:
    from flexunet.config.schema import Config

OPTIMIZERS = ("Adam", "AdamW")

# The constants of the published system, which are Keras's own.
_CONSTANTS: dict[str, Any] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def build_optimizer(
    config: Config, pace: Pace | None = None, policy: str = "float32"
) -> keras.optimizers.Optimizer:
    """The optimizer that `[model] optimizer`, `learning_rate`, `clipvalue` and `weight_decay` describe.

    Each element of a gradient is clipped to plus or minus `clipvalue` before it is used. Under mixed float16
    the loss is scaled, and gradients are divided by the scale before that, so that `clipvalue` means the same
    there; of accumulated gradients the mean is clipped, not each of them.

    Args:
        config: The configuration; the name's case does not matter.
        pace: How steps make updates; none for a model that is not trained, and there is no schedule then.
        policy: Precision of the model.

    Raises:
        ConfigError: if no optimizer has that name, or the warm-up is as long as the run.

    Source: Kingma, D. P. and Ba, J. (2015), Adam, ICLR; Loshchilov, I. and Hutter, F. (2019), Decoupled
    weight decay regularization, ICLR.
    """
    model = config.model
    settings = {
        "learning_rate": learning_rate(config, pace),
        "clipvalue": model.clipvalue,
        "average_momentum": config.train.ema_momentum,
        **_CONSTANTS,
    }
    name = model.optimizer.strip().lower()
    optimizer: keras.optimizers.Optimizer
    if name == "adam":
        optimizer = Adam(**settings)
    elif name == "adamw":
        optimizer = AdamW(weight_decay=model.weight_decay, **settings)
    else:
        raise ConfigError(unknown_name("[model] optimizer", model.optimizer, "an optimizer", OPTIMIZERS))
    if policy == "mixed_float16":
        # Within the groups, not around them as Keras would put it: a group whose gradients overflow is left
        # out whole, and the scale stays the same within a group.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if pace is None or pace.group == 1:
        return optimizer
    return Accumulation(optimizer, pace.steps, pace.group, pace.last_share)
