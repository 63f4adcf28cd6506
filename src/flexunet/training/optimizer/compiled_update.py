"""Adam and AdamW whose update, average included, is compiled into one pass over the weights on TensorFlow.

Keras writes the update as a dozen operations, each of which reads and writes arrays as large as the weights.
For the 125 million of the published model that is a good part of a training step on a processor, where the
rest of the step is better left uncompiled (benchmarks/train_step.py). XLA makes one pass of it. That
takes seconds to compile, and gains milliseconds a step of a small model, which is left as it is. JAX compiles
the whole step anyway. On PyTorch Keras joins the updates of all weights itself, in a class of its own that it
makes in place of the one asked for.
"""

from __future__ import annotations

from typing import Any

import keras

from flexunet.training.optimizer.weight_average import WeightAverage

# Weights from which on compiling comes back within some hundreds of steps (benchmarks/compiled_update.py).
WORTH_COMPILING = 4_000_000


def _engine_class(optimizer: Any) -> Any:
    """The class that Keras makes for this engine; asked of `__new__`, which touches no device."""
    return type(optimizer.__new__(optimizer))


_KerasAdam: Any = _engine_class(keras.optimizers.Adam)
_KerasAdamW: Any = _engine_class(keras.optimizers.AdamW)


class _CompiledUpdate:
    """Compiles what Keras's class does; stands before it among an optimizer's bases."""

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        """Move the weights by their gradients, as Keras does."""
        plain = super().apply  # type: ignore[misc]
        grads = list(grads)
        if not (self.built and _can_compile(grads)):
            return plain(grads, trainable_variables)
        import tensorflow as tf

        # Called once, while the training step is traced.
        return tf.function(lambda grads: plain(grads, trainable_variables), jit_compile=True)(grads)


def _can_compile(grads: list[Any]) -> bool:
    """Whether TensorFlow is tracing a step on one device, of many weights with plain tensors as gradients."""
    if keras.config.backend() != "tensorflow":
        return False
    import tensorflow as tf

    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return False
    if not all(grad is None or isinstance(grad, tf.Tensor) for grad in grads):
        return False
    return sum(grad.shape.num_elements() for grad in grads if grad is not None) >= WORTH_COMPILING


@keras.saving.register_keras_serializable(package="flexunet")
class Adam(_CompiledUpdate, WeightAverage, _KerasAdam):
    """Adam, with a moving average of the weights if asked for.

    Source: Kingma, D. P. and Ba, J. (2015), Adam: A Method for Stochastic Optimization, ICLR.
    """


@keras.saving.register_keras_serializable(package="flexunet")
class AdamW(_CompiledUpdate, WeightAverage, _KerasAdamW):
    """Adam with decoupled weight decay, and the same.

    Source: Loshchilov, I. and Hutter, F. (2019), Decoupled Weight Decay Regularization, ICLR.
    """
