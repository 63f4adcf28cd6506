"""Moving average of the weights: kept by the optimizer, lent to the model for validation.

After update t, counted from 0, average = m * average + (1 - m) * weights. There m = min(momentum, (1 + t) /
(10 + t)), and 0 at the first update: so a high momentum does not hold the average at the first weights.

Source: Polyak, B. T. and Juditsky, A. B. (1992), SIAM J. Control Optim. 30(4), 838-855; the start as in
TensorFlow's `tf.train.ExponentialMovingAverage(num_updates=...)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from flexunet.models.keras_private import optimized_variables


class WeightAverage:
    """Keeps the average; stands before a Keras optimizer among the bases.

    Keras's own `use_ema` cannot serve: at the end of every `fit`, which here is an epoch, it puts the
    averages into the model and trains on from them.

    Args:
        average_momentum: Momentum of the average, 0 to 1; none: no average.
        settings: Those of the Keras optimizer.
    """

    def __init__(self, *, average_momentum: float | None = None, **settings: Any):
        super().__init__(**settings)
        self.average_momentum = average_momentum
        self.averages: list[keras.Variable] = []

    def build(self: Any, variables: Any) -> None:
        """Make the averages beside Keras's own variables."""
        super().build(variables)  # type: ignore[misc]
        if self.average_momentum is not None:
            for variable in variables:
                self.averages.append(self.add_variable_from_reference(variable, name="moving_average"))

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        """Move the weights, and then their average."""
        done = super().apply(grads, trainable_variables)  # type: ignore[misc]
        if self.averages:
            # Keras counts the update before it returns.
            t = keras.ops.cast(self.iterations, "float32") - 1
            start = keras.ops.where(t > 0, (1 + t) / (10 + t), 0.0)
            share = 1 - keras.ops.minimum(self.average_momentum, start)
            for average, variable in zip(self.averages, optimized_variables(self), strict=True):
                average.assign(average + keras.ops.cast(share, average.dtype) * (variable - average))
        return done

    def get_config(self: Any) -> dict[str, Any]:
        """What `from_config` makes the same again from."""
        return {**super().get_config(), "average_momentum": self.average_momentum}  # type: ignore[misc]


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Within this context the model has the average of its weights, if its optimizer keeps one.

    The weights themselves wait in the average's place, and both come back to the bit.
    """
    averages = _averages(model.optimizer)
    _exchange(model.trainable_variables, averages)
    try:
        yield
    finally:
        _exchange(model.trainable_variables, averages)


def _averages(optimizer: Any) -> list[keras.Variable]:
    # A loss scale or an accumulation stand around the optimizer that keeps them.
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return getattr(optimizer, "averages", [])


def _exchange(variables: list[keras.Variable], averages: list[keras.Variable]) -> None:
    if not averages:
        return
    for variable, average in zip(variables, averages, strict=True):
        # A copy: on a processor an engine may hand out its own memory.
        values = np.array(keras.ops.convert_to_numpy(variable.value))
        variable.assign(average)
        average.assign(values)
