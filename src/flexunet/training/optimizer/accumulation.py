"""Accumulated gradients: several steps make one update, as one step on a batch of all their images would.

The groups of an epoch begin with its first step, and its last group has the steps that are left; so an epoch
has the updates that large batches would give it, the last of them smaller too. Each step counts by its
images. What looks at one batch does so still: batch normalisation, and a loss that sums over the batch.

Keras's `gradient_accumulation_steps` lets groups run on from epoch to epoch, drops what is left at the end,
counts a smaller batch in full, and moves schedules by steps.
"""

from __future__ import annotations

from typing import Any

import keras

from flexunet.models.keras_private import own_optimizer_variables, steps_counter
from flexunet.training.optimizer.pace import Pace


@keras.saving.register_keras_serializable(package="flexunet")
class Accumulation(keras.optimizers.Optimizer):
    """Gathers gradients, and hands their mean to another optimizer at the end of each group.

    The other optimizer knows nothing of it: its steps are updates.

    Args:
        inner_optimizer: The one that moves the weights; may scale the loss, as it may alone.
        steps: See `Pace`, as are the next two.
        group: Steps of a group.
        last_share: Images of an epoch's last step.
        name: As Keras asks.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        steps: int,
        group: int,
        last_share: float = 1.0,
        name: str = "accumulation",
    ):
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.pace = Pace(steps, group, last_share)
        self.gathered: list[keras.Variable] = []

    def build(self, variables: Any) -> None:
        """Make the sums of gradients, and what the inner optimizer needs."""
        self.inner_optimizer.build(variables)
        super().build(variables)
        for variable in variables:
            self.gathered.append(self.add_variable_from_reference(variable, name="gathered"))

    @property
    def variables(self) -> list[Any]:
        """Its own and the inner optimizer's."""
        return [*own_optimizer_variables(self), *self.inner_optimizer.variables]

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Gather the gradients of a step; at the end of a group, move the weights."""
        if not self.built:
            self.build(list(trainable_variables))
        share, total, ends = self._place(steps_counter(self))
        pairs = list(zip(self.gathered, grads, strict=True))
        for gathered, gradient in pairs:
            if gradient is not None:
                gathered.assign_add(share * gradient)

        def update() -> None:
            self.inner_optimizer.apply(
                [None if gradient is None else gathered / total for gathered, gradient in pairs]
            )
            for gathered in self.gathered:
                gathered.assign(keras.ops.zeros_like(gathered))

        keras.ops.cond(ends, update, lambda: None)
        steps_counter(self).assign_add(1)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        """The same on JAX, where a condition may not assign: variables in, variables out."""
        own = len(own_optimizer_variables(self))
        step, rate, *gathered = optimizer_variables[:own]
        inner_variables = list(optimizer_variables[own:])
        share, total, ends = self._place(step)
        sums = [before + share * gradient for before, gradient in zip(gathered, grads, strict=True)]

        def update() -> Any:
            mean = [sum_ / total for sum_ in sums]
            moved, inner = self.inner_optimizer.stateless_apply(inner_variables, mean, trainable_variables)
            return list(moved), list(inner), [keras.ops.zeros_like(sum_) for sum_ in sums]

        def gather() -> Any:
            return list(trainable_variables), inner_variables, sums

        moved, inner, gathered = keras.ops.cond(ends, update, gather)
        return moved, [step + 1, rate, *gathered, *inner]

    def _place(self, step: Any) -> tuple[Any, Any, Any]:
        """Images of a step in full batches, those of its group up to it, and whether it ends the group."""
        pace = self.pace
        within = keras.ops.mod(step, pace.steps)
        is_last = keras.ops.equal(within, pace.steps - 1)
        place = keras.ops.mod(within, pace.group)
        share = keras.ops.where(is_last, pace.last_share, 1.0)
        ends = keras.ops.logical_or(keras.ops.equal(place, pace.group - 1), is_last)
        return share, keras.ops.cast(place, "float32") + share, ends

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """Updates so far."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """As the inner optimizer does."""
        return self.inner_optimizer.scale_loss(loss)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same again from."""
        return {
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "steps": self.pace.steps,
            "group": self.pace.group,
            "last_share": self.pace.last_share,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Accumulation:
        """The inverse of `get_config`."""
        inner = keras.saving.deserialize_keras_object(
            config["inner_optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "inner_optimizer": inner})
