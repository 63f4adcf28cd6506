"""What losses and metrics do to truth and probabilities before they compare them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from flexunet.models.keras_private import kept_logits

EPSILON = 1e-7  # keras.backend.epsilon() of the published system
SMALLEST = 1e-37


def float32(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both in float32, whatever the precision of the model and the type of the masks."""
    return ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")


def foreground(y: Any) -> Any:
    """Channels without the background; a single (sigmoid) channel is foreground already."""
    return y if y.shape[-1] == 1 else y[..., 1:]


def without_cells(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Truth of as many channels as the prediction, and the cells that follow; None if none do."""
    if not len(y_pred.shape):  # a figure that a caller worked out already
        return y_true, None
    classes = y_pred.shape[-1]
    return y_true[..., :classes], y_true[..., classes:] if y_true.shape[-1] > classes else None


def mean_by_image(values: Any, counted: Any = None) -> Any:
    """Mean over all axes but the first.

    Args:
        values: `(N, H, W)` or `(N, H, W, channels)`.
        counted: 1 at the pixels that count, 0 at the others, float32 `(N, H, W)`; None: all count. The mean
            of no pixel is 0.
    """
    axes = tuple(range(1, len(values.shape)))
    if counted is None:
        return ops.mean(values, axis=axes)
    if len(values.shape) > len(counted.shape):
        values = ops.mean(values, axis=-1)
    # What stands at the others may be infinite, and times 0 would not be 0.
    total = ops.sum(ops.where(counted > 0, values, 0.0), axis=(1, 2))
    return total / ops.maximum(ops.sum(counted, axis=(1, 2)), 1.0)


def without_ignored(y_true: Any, y_pred: Any, counted: Any) -> tuple[Any, Any]:
    """Truth and probabilities in float32 with 0 in every channel of the pixels that do not count.

    Both as they are where all pixels count (None).
    """
    if counted is None:
        return y_true, y_pred
    y_true, y_pred = float32(y_true, y_pred)
    return y_true * counted[..., None], y_pred * counted[..., None]


def logits_of(y_pred: Any) -> Any:
    """The logits a softmax or sigmoid layer was given, in float32; None where Keras did not keep them."""
    logits = kept_logits(y_pred)
    return None if logits is None else ops.cast(logits, "float32")


def smallest_probability(y_pred: Any) -> float:
    """The least that a probability counts as in a logarithm: 1e-7, or 1e-37 while JAX traces.

    JAX then keeps no logits, and a floor of 1e-7 would end the learning of probabilities that saturate.
    """
    traced = keras.config.backend() == "jax" and type(y_pred).__name__.endswith("Tracer")
    return SMALLEST if traced else EPSILON


def entropy_by_pixel(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy of each pixel `(N, H, W)`, from the logits where Keras kept them."""
    logits = logits_of(y_pred)
    floor = smallest_probability(y_pred)
    y_true, y_pred = float32(y_true, y_pred)
    if y_pred.shape[-1] > 1:
        if logits is not None:
            return ops.categorical_crossentropy(y_true, logits, from_logits=True)
        scaled = y_pred / ops.maximum(ops.sum(y_pred, axis=-1, keepdims=True), SMALLEST)
        return -ops.sum(y_true * ops.log(ops.clip(scaled, floor, 1.0)), axis=-1)
    y_true, y_pred = y_true[..., 0], y_pred[..., 0]
    if logits is not None:
        logits = logits[..., 0]
        return ops.relu(logits) - logits * y_true + ops.log1p(ops.exp(-ops.abs(logits)))
    return -ops.log(ops.clip(ops.where(y_true > 0.5, y_pred, 1.0 - y_pred), floor, 1.0))
