"""Losses for small lesions: regions, hard pixels, rare classes, boundaries.

Every function takes one-hot truth and probabilities `(N, H, W, classes)` and returns one value an image,
`(N,)`. Regions are those of the classes from 1 on, or of the single sigmoid channel; with more than one such
class the value is their mean. Parameters are set as in `loss = "tversky(alpha=0.3, beta=0.7)"`.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from flexunet.training.objectives.rows import loss
from flexunet.training.objectives.tensors import (
    EPSILON,
    entropy_by_pixel,
    float32,
    foreground,
    mean_by_image,
    without_ignored,
)

# One pixel: keeps the ratio defined, and quiet, where an image has no lesion.
_SMOOTH = 1.0


@loss(ignored="zeroed")
def dice(y_true: Any, y_pred: Any, smooth: float = _SMOOTH) -> Any:
    """One minus soft Dice with squares in the denominator, `(N,)`.

    Source: Milletari, F. et al. (2016), V-Net, 3DV, 565-571, equation 2; the smoothing is ours.
    """
    y_true, y_pred = float32(foreground(y_true), foreground(y_pred))
    overlap = ops.sum(y_true * y_pred, axis=(1, 2))
    total = ops.sum(ops.square(y_true) + ops.square(y_pred), axis=(1, 2))
    return ops.mean(1.0 - (2.0 * overlap + smooth) / (total + smooth), axis=-1)


@loss(ignored="zeroed")
def batch_dice(y_true: Any, y_pred: Any, smooth: float = _SMOOTH) -> Any:
    """`dice` of all images of the batch as one; every image gets that value, `(N,)`.

    An image without a lesion then counts by its false alarms alone; by itself it would lose nearly 1 for any
    of them, and push all probabilities down.

    Source: as for `dice`; over the batch as in Isensee, F. et al. (2021), nnU-Net, Nature Methods 18,
    203-211.
    """
    y_true, y_pred = float32(foreground(y_true), foreground(y_pred))
    overlap = ops.sum(y_true * y_pred, axis=(0, 1, 2))
    total = ops.sum(ops.square(y_true) + ops.square(y_pred), axis=(0, 1, 2))
    value = ops.mean(1.0 - (2.0 * overlap + smooth) / (total + smooth))
    return value * ops.ones_like(y_true[:, 0, 0, 0])


def _tversky_index(y_true: Any, y_pred: Any, alpha: float, beta: float, smooth: float) -> Any:
    y_true, y_pred = float32(foreground(y_true), foreground(y_pred))
    hit = ops.sum(y_true * y_pred, axis=(1, 2))
    false_alarm = ops.sum((1.0 - y_true) * y_pred, axis=(1, 2))
    missed = ops.sum(y_true * (1.0 - y_pred), axis=(1, 2))
    return (hit + smooth) / (hit + alpha * false_alarm + beta * missed + smooth)


@loss(ignored="zeroed")
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.3, beta: float = 0.7, smooth: float = _SMOOTH) -> Any:
    """One minus the Tversky index: false alarms weigh alpha, missed pixels beta, `(N,)`.

    Source: Salehi, S. S. M. et al. (2017), MLMI, LNCS 10541, 379-387.
    """
    return ops.mean(1.0 - _tversky_index(y_true, y_pred, alpha, beta, smooth), axis=-1)


@loss(ignored="zeroed")
def log_cosh_dice(y_true: Any, y_pred: Any, smooth: float = _SMOOTH) -> Any:
    """Log of the hyperbolic cosine of one minus soft Dice, unsquared; flat where little is wrong, `(N,)`.

    Source: Jadon, S. (2020), A survey of loss functions for semantic segmentation, CIBCB, arXiv:2006.14822.
    """
    # Dice is the Tversky index with false alarms and missed pixels at one half.
    distance = 1.0 - _tversky_index(y_true, y_pred, 0.5, 0.5, 0.5 * smooth)
    return ops.mean(ops.log(ops.cosh(distance)), axis=-1)


@loss(above_zero=("gamma",), ignored="zeroed")
def focal_tversky(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4.0 / 3.0,
    smooth: float = _SMOOTH,
) -> Any:
    """One minus the Tversky index, to the power 1 / gamma: hard images weigh more, `(N,)`.

    Source: Abraham, N. and Khan, N. M. (2019), ISBI, 683-687 (there alpha weighs the missed pixels; here it
    weighs the false alarms, as in `tversky`).
    """
    distance = 1.0 - _tversky_index(y_true, y_pred, alpha, beta, smooth)
    # A root has no finite slope at 0, where nothing is left to learn.
    return ops.mean(ops.power(ops.maximum(distance, EPSILON), 1.0 / gamma), axis=-1)


@loss(ignored="counted")
def focal(y_true: Any, y_pred: Any, gamma: float = 2.0, counted: Any = None) -> Any:
    """Cross-entropy of each pixel times (1 - p) ** gamma, p the probability of its true class; mean, `(N,)`.

    Source: Lin, T.-Y. et al. (2017), Focal loss for dense object detection, ICCV, 2980-2988.
    """
    entropy = entropy_by_pixel(y_true, y_pred)
    # Rounding may leave the entropy a little below 0, and a negative number has no fractional power.
    missing = ops.maximum(1.0 - ops.exp(-entropy), 0.0)
    weight = ops.power(ops.maximum(missing, EPSILON), gamma) if gamma else ops.ones_like(missing)
    return mean_by_image(weight * entropy, counted)


@loss(ignored="counted")
def generalised_dice(y_true: Any, y_pred: Any, counted: Any = None) -> Any:
    """One minus Dice summed over all classes, background too, each divided by its area squared, `(N,)`.

    A class that is not in the image counts as if it had one pixel.

    Source: Sudre, C. H. et al. (2017), DLMIA, LNCS 10553, 240-248.
    """
    y_true, y_pred = float32(y_true, y_pred)
    if y_true.shape[-1] == 1:
        y_true = ops.concatenate([1.0 - y_true, y_true], axis=-1)
        y_pred = ops.concatenate([1.0 - y_pred, y_pred], axis=-1)
    y_true, y_pred = without_ignored(y_true, y_pred, counted)
    weight = 1.0 / ops.square(ops.maximum(ops.sum(y_true, axis=(1, 2)), 1.0))
    overlap = ops.sum(weight * ops.sum(y_true * y_pred, axis=(1, 2)), axis=-1)
    total = ops.sum(weight * ops.sum(y_true + y_pred, axis=(1, 2)), axis=-1)
    return 1.0 - 2.0 * overlap / total


@loss(above_zero=("reach",))
def boundary(y_true: Any, y_pred: Any, reach: float = 16.0) -> Any:
    """Mean over pixels of probability times signed distance to the true boundary; may be negative, `(N,)`.

    Outside a region the distance is positive, inside negative (0 at the innermost outline). It is counted in
    king's moves and no further than `reach` pixels. Where an image lacks a class it has no boundary, and
    counts 0. Use it together with a loss of regions: `"dice + 0.01*boundary"`.

    Source: Kervadec, H. et al. (2019), Boundary loss for highly unbalanced segmentation, MIDL, PMLR 102,
    285-296, there with Euclidean distances without limit.
    """
    y_true, y_pred = float32(foreground(y_true), foreground(y_pred))
    steps = int(reach)
    outside = _distance_to(y_true, steps)
    inside = _distance_to(1.0 - y_true, steps)
    signed = outside - ops.maximum(inside - 1.0, 0.0)
    there = ops.max(y_true, axis=(1, 2), keepdims=True)
    return ops.mean(there * signed * y_pred, axis=(1, 2, 3))


def _distance_to(region: Any, reach: int) -> Any:
    """King's moves from each pixel to the region, at most `reach`: how many dilations do not arrive there."""
    distance = 1.0 - region
    grown = region
    for _ in range(reach - 1):
        grown = ops.max_pool(grown, 3, strides=1, padding="same", data_format="channels_last")
        distance = distance + 1.0 - grown
    return distance
