"""Losses by their published names: `get_loss("categorical_crossentropy")`.

Every function takes one-hot truth and probabilities, `(N, H, W, classes)`, and returns one value an image,
`(N,)`, or a scalar where the published loss pools the batch. Keras takes the mean, so the loss of an epoch is
the mean over images. All compute in float32, whatever the precision of the model and the type of the masks.

Cross-entropy of a model's own output is computed from the logits that Keras keeps beside it, as the published
engine does: probabilities that saturate would otherwise end the learning. JAX keeps none while it traces;
there the probabilities themselves are used down to 1e-37.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from flexunet.errors import ConfigError
from flexunet.training.objectives.metrics import (
    _float32,
    dice_coef,
    dice_coef_foreground,
    dice_coef_multiclass,
    iou_coef,
)
from flexunet.training.objectives.ssim import ssim

_EPSILON = 1e-7  # keras.backend.epsilon() of the published system
_SMALLEST = 1e-37
_FOCAL_DICE_EPSILON = 1e-6


def _logits_of(y_pred: Any) -> Any:
    """The logits a softmax or sigmoid layer was given, in float32; None where Keras did not keep them."""
    logits = getattr(y_pred, "_keras_logits", None)
    return None if logits is None else ops.cast(logits, "float32")


def _is_traced_by_jax(y_pred: Any) -> bool:
    return keras.config.backend() == "jax" and type(y_pred).__name__.endswith("Tracer")


def _mean_by_image(values: Any) -> Any:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


def categorical_crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Mean cross-entropy over the pixels of each image, `(N,)`.

    Probabilities are scaled to sum 1 over the classes and clipped to [1e-7, 1 - 1e-7].
    """
    logits = _logits_of(y_pred) if y_pred.shape[-1] > 1 else None
    floor = _SMALLEST if _is_traced_by_jax(y_pred) else _EPSILON
    y_true, y_pred = _float32(y_true, y_pred)
    if logits is not None:
        return _mean_by_image(ops.categorical_crossentropy(y_true, logits, from_logits=True))
    scaled = y_pred / ops.maximum(ops.sum(y_pred, axis=-1, keepdims=True), _SMALLEST)
    scaled = ops.clip(scaled, floor, 1.0 - _EPSILON)
    return _mean_by_image(-ops.sum(y_true * ops.log(scaled), axis=-1))


def binary_crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Mean cross-entropy over the pixels and channels of each image, each channel on its own, `(N,)`.

    Probabilities are clipped to [1e-7, 1 - 1e-7] and 1e-7 is added inside the logarithm, as in Keras 2.
    """
    logits = _logits_of(y_pred) if y_pred.shape[-1] == 1 else None
    y_true, y_pred = _float32(y_true, y_pred)
    if logits is not None:
        return _mean_by_image(ops.relu(logits) - logits * y_true + ops.log1p(ops.exp(-ops.abs(logits))))
    clipped = ops.clip(y_pred, _EPSILON, 1.0 - _EPSILON)
    return -_mean_by_image(
        y_true * ops.log(clipped + _EPSILON) + (1.0 - y_true) * ops.log(1.0 - clipped + _EPSILON)
    )


def categorical_focal_dice_loss(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy plus one minus the mean over pixels of each pixel's Dice, `(N,)`.

    Nothing in it is focal, despite its published name.
    """
    crossentropy = categorical_crossentropy(y_true, y_pred)
    y_true, y_pred = _float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=-1)
    total = ops.sum(y_true + y_pred, axis=-1)
    dice_by_pixel = (2.0 * overlap + _FOCAL_DICE_EPSILON) / (total + _FOCAL_DICE_EPSILON)
    return crossentropy + 1.0 - _mean_by_image(dice_by_pixel)


def dice_loss_multiclass(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef_multiclass`, `(N,)`."""
    return 1.0 - dice_coef_multiclass(y_true, y_pred)


def dice_loss_foreground(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef_foreground`, `(N,)`."""
    return 1.0 - dice_coef_foreground(y_true, y_pred)


def dice_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef`; a scalar."""
    return 1.0 - dice_coef(y_true, y_pred)


def bce_dice_loss(y_true: Any, y_pred: Any) -> Any:
    """Mean of `binary_crossentropy` and `dice_loss`, `(N,)`."""
    return 0.5 * (binary_crossentropy(y_true, y_pred) + dice_loss(y_true, y_pred))


def iou_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus `iou_coef`; a scalar, 0 where truth and prediction are both empty (published: NaN)."""
    return 1.0 - iou_coef(y_true, y_pred)


def bce_iou_loss(y_true: Any, y_pred: Any) -> Any:
    """Mean of `binary_crossentropy` and `iou_loss`, `(N,)`."""
    return 0.5 * (binary_crossentropy(y_true, y_pred) + iou_loss(y_true, y_pred))


def ssim_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus the structural similarity of truth and probabilities, `(N,)`; needs 11 x 11 pixels."""
    y_true, y_pred = _float32(y_true, y_pred)
    return 1.0 - ssim(y_true, y_pred)


def basnet_hybrid_loss(y_true: Any, y_pred: Any) -> Any:
    """Mean of `binary_crossentropy`, `ssim_loss` and `iou_loss`, `(N,)`.

    Source: Qin, X. et al. (2019), BASNet: Boundary-Aware Salient Object Detection, CVPR, 7479-7489.
    """
    total = binary_crossentropy(y_true, y_pred) + ssim_loss(y_true, y_pred) + iou_loss(y_true, y_pred)
    return total / 3.0


LOSSES: dict[str, Callable[..., Any]] = {
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "categorical_focal_dice_loss": categorical_focal_dice_loss,
    "dice_loss_multiclass": dice_loss_multiclass,
    "dice_loss_foreground": dice_loss_foreground,
    "dice_loss": dice_loss,
    "bce_dice_loss": bce_dice_loss,
    "iou_loss": iou_loss,
    "jacard_loss": iou_loss,
    "bce_iou_loss": bce_iou_loss,
    "ssim_loss": ssim_loss,
    "basnet_hybrid_loss": basnet_hybrid_loss,
}

# A softmax-like normalisation over one channel makes every probability 1: these would learn nothing.
_NEED_CLASSES = {"categorical_crossentropy", "categorical_focal_dice_loss"}

for _loss in set(LOSSES.values()):
    keras.saving.register_keras_serializable(package="flexunet")(_loss)


def get_loss(name: str, num_classes: int | None = None) -> Callable[..., Any]:
    """A loss by its published name, or a weighted sum of losses, ready for `model.compile`.

    Args:
        name: A name of `LOSSES`, or text for `loss_expression.LossSum`.
        num_classes: Channels of the model, where known, so that a loss that cannot learn there is refused.

    Raises:
        ConfigError: if no loss has that name, or it is degenerate with `num_classes`.
    """
    if name not in LOSSES:
        from flexunet.training.objectives.expression import LossSum  # it builds on this module

        return LossSum(name, num_classes)
    if num_classes == 1 and name in _NEED_CLASSES:
        raise ConfigError(
            f"[model] loss = '{name}' needs two classes or more, and [model] num_classes is 1: with a single "
            "channel it is 0 whatever the model predicts. Set loss = 'binary_crossentropy' (or "
            "'bce_dice_loss'), or num_classes = 2."
        )
    return LOSSES[name]
