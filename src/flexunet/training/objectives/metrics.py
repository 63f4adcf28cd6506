"""The published metrics.

Every function takes one-hot truth and probabilities, `(N, H, W, classes)`, and returns one value for the
batch or one for each image; `named.get_metric` makes a Keras metric of it.

Every function computes in float32, whatever the precision of the model and the type of the masks.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from flexunet.training.objectives.rows import metric
from flexunet.training.objectives.tensors import (
    EPSILON,
    float32,
    foreground,
    mean_by_image,
    without_ignored,
)

_FOREGROUND_EPSILON = 1e-6
_TINY = 1e-30


@metric(ignored="zeroed")
def dice_coef_multiclass(y_true: Any, y_pred: Any) -> Any:
    """Soft agreement of each image over pixels *and classes*, background included; not a lesion Dice.

    An empty prediction scores 0.99 on an image with a lesion of one per cent. It is here because published
    figures are stated in it.

    Args:
        y_true: One-hot truth `(N, H, W, classes)`.
        y_pred: Probabilities, same shape.

    Returns:
        `(2 * sum(t * p) + 1) / (sum(t) + sum(p) + 1)` of each image, `(N,)`.
    """
    y_true, y_pred = float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=(1, 2, 3))
    total = ops.sum(y_true, axis=(1, 2, 3)) + ops.sum(y_pred, axis=(1, 2, 3))
    return (2.0 * overlap + 1.0) / (total + 1.0)


@metric(ignored="zeroed")
def dice_coef_foreground(y_true: Any, y_pred: Any) -> Any:
    """Soft Dice of the classes from 1 on, of each image and class, averaged over the classes.

    A class that is in neither truth nor prediction counts 1. With one (sigmoid) channel, that channel.

    Args:
        y_true: One-hot truth `(N, H, W, classes)`.
        y_pred: Probabilities, same shape.

    Returns:
        Mean over classes of `(2 * sum(t * p) + 1e-6) / (sum(t + p) + 1e-6)`, `(N,)`.
    """
    y_true, y_pred = float32(foreground(y_true), foreground(y_pred))
    overlap = ops.sum(y_true * y_pred, axis=(1, 2))
    total = ops.sum(y_true + y_pred, axis=(1, 2))
    return ops.mean((2.0 * overlap + _FOREGROUND_EPSILON) / (total + _FOREGROUND_EPSILON), axis=-1)


@metric(over_images=True, ignored="zeroed")
def dice_per_image_mean(y_true: Any, y_pred: Any) -> Any:
    """Dice of each image's predicted mask, over the foreground classes that occur, as `evaluate` reports.

    The mask is the most probable class (with one channel, a probability above one half). Truth and prediction
    have the size of the model's input here.

    Args:
        y_true: One-hot truth `(N, H, W, classes)`.
        y_pred: Probabilities, same shape.

    Returns:
        Mean over the classes from 1 on that truth or prediction holds, `(N,)`; NaN where neither holds any.
    """
    y_true, y_pred = float32(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        mask = ops.cast(y_pred > 0.5, "float32")
    else:
        mask = ops.one_hot(ops.argmax(y_pred, axis=-1), y_pred.shape[-1], dtype="float32")
    truth, mask = foreground(y_true), foreground(mask)
    overlap = ops.sum(truth * mask, axis=(1, 2))
    total = ops.sum(truth, axis=(1, 2)) + ops.sum(mask, axis=(1, 2))
    occurs = ops.cast(total > 0, "float32")
    dice = ops.sum(2.0 * overlap / ops.maximum(total, 1.0), axis=-1)
    classes = ops.sum(occurs, axis=-1)
    return ops.where(classes > 0, dice / ops.maximum(classes, 1.0), float("nan"))


@metric(ignored="zeroed")
def dice_coef_hybrid(y_true: Any, y_pred: Any, alpha: float = 1.0, beta: float = 1.0) -> Any:
    """Weighted mean of `dice_coef_multiclass` (alpha) and `dice_coef_foreground` (beta), `(N,)`."""
    multiclass = dice_coef_multiclass(y_true, y_pred)
    return (alpha * multiclass + beta * dice_coef_foreground(y_true, y_pred)) / (alpha + beta)


@metric(ignored="zeroed")
def dice_coef(y_true: Any, y_pred: Any) -> Any:
    """Soft Dice pooled over the whole batch, all classes together, smoothed by 1; a scalar."""
    y_true, y_pred = float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred)
    return (2.0 * overlap + 1.0) / (ops.sum(y_true) + ops.sum(y_pred) + 1.0)


@metric("iou_coef", "jacard_similarity", ignored="zeroed")
def iou_coef(y_true: Any, y_pred: Any) -> Any:
    """Soft intersection over union pooled over the whole batch, without smoothing; a scalar.

    Empty truth with an empty prediction is 1 (the published function gives NaN).

    Source: Jaccard, P. (1912), The New Phytologist 11(2), 37-50.
    """
    y_true, y_pred = float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred)
    union = ops.sum(y_true) + ops.sum(y_pred) - overlap
    return ops.where(union > 0, overlap / ops.maximum(union, _TINY), ops.ones_like(union))


@metric(ignored="zeroed")
def sensitivity(y_true: Any, y_pred: Any) -> Any:
    """Share of true entries predicted above one half, all classes of the batch together; a scalar.

    With two or more classes the background's entries count too, as published.
    """
    y_true, y_pred = float32(y_true, y_pred)
    found = ops.sum(ops.round(ops.clip(y_true * y_pred, 0.0, 1.0)))
    return found / (ops.sum(ops.round(ops.clip(y_true, 0.0, 1.0))) + EPSILON)


@metric(ignored="counted")
def specificity(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Share of false entries predicted below one half, all classes of the batch together; a scalar."""
    y_true, y_pred = float32(y_true, y_pred)
    return sensitivity(*without_ignored(1.0 - y_true, 1.0 - y_pred, counted))


@metric(ignored="counted")
def binary_accuracy(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Share of entries on the right side of one half, for each image, `(N,)`."""
    y_true, y_pred = float32(y_true, y_pred)
    right = ops.equal(y_true, ops.cast(y_pred > 0.5, "float32"))
    return mean_by_image(ops.cast(right, "float32"), counted)


@metric(ignored="counted")
def categorical_accuracy(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Share of pixels whose most probable class is the true one, for each image, `(N,)`."""
    right = ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))
    return mean_by_image(ops.cast(right, "float32"), counted)


@metric(ignored="counted")
def accuracy(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """`binary_accuracy` with one channel, `categorical_accuracy` with more."""
    return (binary_accuracy if y_pred.shape[-1] == 1 else categorical_accuracy)(y_true, y_pred, counted)
