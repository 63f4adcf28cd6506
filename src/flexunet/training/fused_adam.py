"""Adam and AdamW whose update is one operation in place where the engine has one.

Keras writes the update as a dozen operations, each of which reads and writes an array as large as the weights;
for 125 million of them that is a good part of a training step. TensorFlow has the same formula as one kernel.
Results differ from Keras's by rounding alone. On JAX the compiler joins the operations itself.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _InPlace:
    """What both optimizers do differently from Keras; stands before Keras's class among their bases."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one weight by one gradient."""
        if not _has_kernel(self, variable):
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=ops.power(self.beta_1, step),
            beta2_power=ops.power(self.beta_2, step),
            lr=ops.cast(learning_rate, "float32"),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, "float32"),
        )

    def _clip_gradients(self: Any, grads: list[Any]) -> list[Any]:
        """Keras's own clipping, but each element is read and written once instead of twice."""
        if keras.config.backend() != "tensorflow" or self.clipnorm or self.global_clipnorm:
            return super()._clip_gradients(grads)  # type: ignore[misc]
        limit = self.clipvalue
        if not limit or limit < 0:
            return grads
        import tensorflow as tf

        return [
            grad
            if grad is None
            else tf.raw_ops.ClipByValue(
                t=grad, clip_value_min=tf.cast(-limit, grad.dtype), clip_value_max=tf.cast(limit, grad.dtype)
            )
            for grad in grads
        ]


def _has_kernel(optimizer: Any, variable: Any) -> bool:
    """Whether TensorFlow's kernel can move this weight: a plain float32 variable of one device."""
    if keras.config.backend() != "tensorflow" or optimizer.amsgrad or variable.dtype != "float32":
        return False
    import tensorflow as tf

    return isinstance(variable.value, tf.Variable) and not tf.distribute.has_strategy()


@keras.saving.register_keras_serializable(package="flexunet")
class Adam(_InPlace, keras.optimizers.Adam):
    """Adam.

    Source: Kingma, D. P. and Ba, J. (2015), Adam: A Method for Stochastic Optimization, ICLR.
    """


@keras.saving.register_keras_serializable(package="flexunet")
class AdamW(_InPlace, keras.optimizers.AdamW):
    """Adam with decoupled weight decay.

    Source: Loshchilov, I. and Hutter, F. (2019), Decoupled Weight Decay Regularization, ICLR.
    """
