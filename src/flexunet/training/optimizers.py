"""Optimizers by name, as the configuration sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import ConfigError
from flexunet.training.compiled_update import Adam, AdamW
from flexunet.training.names import unknown_name

if TYPE_CHECKING:
    from flexunet.config.schema import Config

OPTIMIZERS = ("Adam", "AdamW")

# The constants of the published system, which are Keras's own.
_CONSTANTS: dict[str, Any] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def build_optimizer(config: Config) -> keras.optimizers.Optimizer:
    """The optimizer that `[model] optimizer`, `learning_rate`, `clipvalue` and `weight_decay` describe.

    Each element of a gradient is clipped to plus or minus `clipvalue` before it is used. Under mixed float16
    Keras scales the loss and divides the gradients by the scale before they reach this optimizer, so that
    `clipvalue` means the same there.

    Args:
        config: The configuration; the name's case does not matter.

    Raises:
        ConfigError: if no optimizer has that name.

    Source: Kingma, D. P. and Ba, J. (2015), Adam, ICLR; Loshchilov, I. and Hutter, F. (2019), Decoupled
    weight decay regularization, ICLR.
    """
    model = config.model
    settings = {"learning_rate": model.learning_rate, "clipvalue": model.clipvalue, **_CONSTANTS}
    name = model.optimizer.strip().lower()
    if name == "adam":
        return Adam(**settings)
    if name == "adamw":
        return AdamW(weight_decay=model.weight_decay, **settings)
    raise ConfigError(unknown_name("[model] optimizer", model.optimizer, "an optimizer", OPTIMIZERS))
