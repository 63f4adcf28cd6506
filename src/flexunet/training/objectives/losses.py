"""The published losses.

Every function takes one-hot truth and probabilities, `(N, H, W, classes)`, and returns one value an image,
`(N,)`, or a scalar where the published loss pools the batch. Keras takes the mean, so the loss of an epoch is
the mean over images. All compute in float32, whatever the precision of the model and the type of the masks.

Cross-entropy of a model's own output is computed from the logits that Keras keeps beside it, as the published
engine does: probabilities that saturate would otherwise end the learning. JAX keeps none while it traces;
there the probabilities themselves are used down to 1e-37.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from flexunet.training.objectives.metrics import (
    dice_coef,
    dice_coef_foreground,
    dice_coef_multiclass,
    iou_coef,
)
from flexunet.training.objectives.rows import published_loss
from flexunet.training.objectives.ssim import ssim
from flexunet.training.objectives.tensors import (
    EPSILON,
    SMALLEST,
    float32,
    logits_of,
    mean_by_image,
    smallest_probability,
    without_ignored,
)

_FOCAL_DICE_EPSILON = 1e-6


@published_loss(needs_classes=True, ignored="counted")
def categorical_crossentropy(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Mean cross-entropy over the pixels of each image, `(N,)`.

    Probabilities are scaled to sum 1 over the classes and clipped to [1e-7, 1 - 1e-7].
    """
    logits = logits_of(y_pred) if y_pred.shape[-1] > 1 else None
    floor = smallest_probability(y_pred)
    y_true, y_pred = float32(y_true, y_pred)
    if logits is not None:
        return mean_by_image(ops.categorical_crossentropy(y_true, logits, from_logits=True), counted)
    scaled = y_pred / ops.maximum(ops.sum(y_pred, axis=-1, keepdims=True), SMALLEST)
    scaled = ops.clip(scaled, floor, 1.0 - EPSILON)
    return mean_by_image(-ops.sum(y_true * ops.log(scaled), axis=-1), counted)


@published_loss(ignored="counted")
def binary_crossentropy(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Mean cross-entropy over the pixels and channels of each image, each channel on its own, `(N,)`.

    Probabilities are clipped to [1e-7, 1 - 1e-7] and 1e-7 is added inside the logarithm, as in Keras 2.
    """
    logits = logits_of(y_pred) if y_pred.shape[-1] == 1 else None
    y_true, y_pred = float32(y_true, y_pred)
    if logits is not None:
        entropy = ops.relu(logits) - logits * y_true + ops.log1p(ops.exp(-ops.abs(logits)))
        return mean_by_image(entropy, counted)
    clipped = ops.clip(y_pred, EPSILON, 1.0 - EPSILON)
    return -mean_by_image(
        y_true * ops.log(clipped + EPSILON) + (1.0 - y_true) * ops.log(1.0 - clipped + EPSILON), counted
    )


@published_loss(needs_classes=True, ignored="counted")
def categorical_focal_dice_loss(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Cross-entropy plus one minus the mean over pixels of each pixel's Dice, `(N,)`.

    Nothing in it is focal, despite its published name.
    """
    crossentropy = categorical_crossentropy(y_true, y_pred, counted)
    y_true, y_pred = float32(y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=-1)
    total = ops.sum(y_true + y_pred, axis=-1)
    dice_by_pixel = (2.0 * overlap + _FOCAL_DICE_EPSILON) / (total + _FOCAL_DICE_EPSILON)
    return crossentropy + 1.0 - mean_by_image(dice_by_pixel, counted)


@published_loss(ignored="zeroed")
def dice_loss_multiclass(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef_multiclass`, `(N,)`."""
    return 1.0 - dice_coef_multiclass(y_true, y_pred)


@published_loss(ignored="zeroed")
def dice_loss_foreground(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef_foreground`, `(N,)`."""
    return 1.0 - dice_coef_foreground(y_true, y_pred)


@published_loss(ignored="zeroed")
def dice_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus `dice_coef`; a scalar."""
    return 1.0 - dice_coef(y_true, y_pred)


@published_loss(ignored="counted")
def bce_dice_loss(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Mean of `binary_crossentropy` and `dice_loss`, `(N,)`."""
    regions = dice_loss(*without_ignored(y_true, y_pred, counted))
    return 0.5 * (binary_crossentropy(y_true, y_pred, counted) + regions)


@published_loss("iou_loss", "jacard_loss", ignored="zeroed")
def iou_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus `iou_coef`; a scalar, 0 where truth and prediction are both empty (published: NaN)."""
    return 1.0 - iou_coef(y_true, y_pred)


@published_loss(ignored="counted")
def bce_iou_loss(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """Mean of `binary_crossentropy` and `iou_loss`, `(N,)`."""
    regions = iou_loss(*without_ignored(y_true, y_pred, counted))
    return 0.5 * (binary_crossentropy(y_true, y_pred, counted) + regions)


@published_loss()
def ssim_loss(y_true: Any, y_pred: Any) -> Any:
    """One minus the structural similarity of truth and probabilities, `(N,)`; needs 11 x 11 pixels."""
    y_true, y_pred = float32(y_true, y_pred)
    return 1.0 - ssim(y_true, y_pred)


@published_loss()
def basnet_hybrid_loss(y_true: Any, y_pred: Any) -> Any:
    """Mean of `binary_crossentropy`, `ssim_loss` and `iou_loss`, `(N,)`.

    Source: Qin, X. et al. (2019), BASNet: Boundary-Aware Salient Object Detection, CVPR, 7479-7489.
    """
    total = binary_crossentropy(y_true, y_pred) + ssim_loss(y_true, y_pred) + iou_loss(y_true, y_pred)
    return total / 3.0
