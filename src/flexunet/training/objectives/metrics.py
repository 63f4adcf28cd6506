"""Metrics by their published names, and the way the published system averages them.

`get_metric("dice_coef_multiclass")` gives a Keras metric for `model.compile(metrics=[...])`. The functions
take one-hot truth and probabilities, `(N, H, W, classes)`, and return one value for the batch or one for each
image; the metric of an epoch is the *unweighted* mean over its batches, as in the published curves.

Every function computes in float32, whatever the precision of the model and the type of the masks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from flexunet.errors import ConfigError
from flexunet.training.objectives.names import unknown_name

_EPSILON = 1e-7  # keras.backend.epsilon() of the published system
_FOREGROUND_EPSILON = 1e-6
_TINY = 1e-30


def _float32(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    return ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")


def _foreground(y: Any) -> Any:
    """Channels without the background; a single (sigmoid) channel is foreground already."""
    return y if y.shape[-1] == 1 else y[..., 1:]


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
    y_true, y_pred = _float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=(1, 2, 3))
    total = ops.sum(y_true, axis=(1, 2, 3)) + ops.sum(y_pred, axis=(1, 2, 3))
    return (2.0 * overlap + 1.0) / (total + 1.0)


def dice_coef_foreground(y_true: Any, y_pred: Any) -> Any:
    """Soft Dice of the classes from 1 on, of each image and class, averaged over the classes.

    A class that is in neither truth nor prediction counts 1. With one (sigmoid) channel, that channel.

    Args:
        y_true: One-hot truth `(N, H, W, classes)`.
        y_pred: Probabilities, same shape.

    Returns:
        Mean over classes of `(2 * sum(t * p) + 1e-6) / (sum(t + p) + 1e-6)`, `(N,)`.
    """
    y_true, y_pred = _float32(_foreground(y_true), _foreground(y_pred))
    overlap = ops.sum(y_true * y_pred, axis=(1, 2))
    total = ops.sum(y_true + y_pred, axis=(1, 2))
    return ops.mean((2.0 * overlap + _FOREGROUND_EPSILON) / (total + _FOREGROUND_EPSILON), axis=-1)


def dice_coef_hybrid(y_true: Any, y_pred: Any, alpha: float = 1.0, beta: float = 1.0) -> Any:
    """Weighted mean of `dice_coef_multiclass` (alpha) and `dice_coef_foreground` (beta), `(N,)`."""
    multiclass = dice_coef_multiclass(y_true, y_pred)
    return (alpha * multiclass + beta * dice_coef_foreground(y_true, y_pred)) / (alpha + beta)


def dice_coef(y_true: Any, y_pred: Any) -> Any:
    """Soft Dice pooled over the whole batch, all classes together, smoothed by 1; a scalar."""
    y_true, y_pred = _float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred)
    return (2.0 * overlap + 1.0) / (ops.sum(y_true) + ops.sum(y_pred) + 1.0)


def iou_coef(y_true: Any, y_pred: Any) -> Any:
    """Soft intersection over union pooled over the whole batch, without smoothing; a scalar.

    Empty truth with an empty prediction is 1 (the published function gives NaN).

    Source: Jaccard, P. (1912), The New Phytologist 11(2), 37-50.
    """
    y_true, y_pred = _float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred)
    union = ops.sum(y_true) + ops.sum(y_pred) - overlap
    return ops.where(union > 0, overlap / ops.maximum(union, _TINY), ops.ones_like(union))


def sensitivity(y_true: Any, y_pred: Any) -> Any:
    """Share of true entries predicted above one half, all classes of the batch together; a scalar.

    With two or more classes the background's entries count too, as published.
    """
    y_true, y_pred = _float32(y_true, y_pred)
    found = ops.sum(ops.round(ops.clip(y_true * y_pred, 0.0, 1.0)))
    return found / (ops.sum(ops.round(ops.clip(y_true, 0.0, 1.0))) + _EPSILON)


def specificity(y_true: Any, y_pred: Any) -> Any:
    """Share of false entries predicted below one half, all classes of the batch together; a scalar."""
    y_true, y_pred = _float32(y_true, y_pred)
    return sensitivity(1.0 - y_true, 1.0 - y_pred)


def binary_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Share of entries on the right side of one half, for each image, `(N,)`."""
    y_true, y_pred = _float32(y_true, y_pred)
    right = ops.equal(y_true, ops.cast(y_pred > 0.5, "float32"))
    return ops.mean(ops.cast(right, "float32"), axis=(1, 2, 3))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Share of pixels whose most probable class is the true one, for each image, `(N,)`."""
    right = ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))
    return ops.mean(ops.cast(right, "float32"), axis=(1, 2))


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """`binary_accuracy` with one channel, `categorical_accuracy` with more."""
    return (binary_accuracy if y_pred.shape[-1] == 1 else categorical_accuracy)(y_true, y_pred)


METRICS: dict[str, Callable[..., Any]] = {
    "dice_coef_multiclass": dice_coef_multiclass,
    "dice_coef_foreground": dice_coef_foreground,
    "dice_coef_hybrid": dice_coef_hybrid,
    "dice_coef": dice_coef,
    "iou_coef": iou_coef,
    "jacard_similarity": iou_coef,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "accuracy": accuracy,
}


@keras.saving.register_keras_serializable(package="flexunet")
class PublishedMean(keras.metrics.Metric):
    """A metric averaged as in the published curves: unweighted mean over batches of each batch's mean.

    An uneven last batch counts as much as a full one. (The loss of an epoch is the mean over images; that is
    Keras's own rule and needs nothing here.)

    Args:
        fn: Function of one-hot truth and probabilities, giving a scalar or one value an image.
        name: Name in logs and curves.
    """

    def __init__(self, fn: Callable[..., Any], name: str, **kwargs: Any) -> None:
        super().__init__(name=name, dtype="float32", **kwargs)
        self.fn = fn
        self.total = self.add_weight(name="total", initializer="zeros")
        self.batches = self.add_weight(name="batches", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch; weights of samples are not used, as published."""
        self.total.assign_add(ops.cast(ops.mean(self.fn(y_true, y_pred)), "float32"))
        self.batches.assign_add(1.0)

    def result(self) -> Any:
        """Mean over the batches seen since the last reset; 0 before the first."""
        return ops.divide_no_nan(self.total, self.batches)

    def get_config(self) -> dict[str, Any]:
        """The name alone: the function is found again by it."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PublishedMean:
        """The metric of that name."""
        return get_metric(config["name"])


def get_metric(name: str, *, hybrid_alpha: float = 1.0, hybrid_beta: float = 1.0) -> PublishedMean:
    """A fresh metric by its published name, ready for `model.compile`.

    Args:
        name: A name of `METRICS`, or of a loss (the published system allows a loss as metric).
        hybrid_alpha: Weight of `dice_coef_multiclass` in `dice_coef_hybrid`, `[model] hybrid_alpha`.
        hybrid_beta: Weight of `dice_coef_foreground` in it, `[model] hybrid_beta`.

    Raises:
        ConfigError: if no metric has that name, or the two weights sum to zero or less.
    """
    from flexunet.training.objectives.losses import LOSSES  # the losses build on this module

    known = METRICS | LOSSES
    if name not in known:
        raise ConfigError(unknown_name("[model] metrics", name, "a metric", known))
    fn = known[name]
    if name == "dice_coef_hybrid":
        if hybrid_alpha + hybrid_beta <= 0:
            raise ConfigError(
                f"[model] hybrid_alpha + hybrid_beta is {hybrid_alpha + hybrid_beta:g}, and must be above 0: "
                "they weight dice_coef_multiclass and dice_coef_foreground in dice_coef_hybrid."
            )

        def fn(y_true: Any, y_pred: Any) -> Any:
            return dice_coef_hybrid(y_true, y_pred, hybrid_alpha, hybrid_beta)

    return PublishedMean(fn, name)
