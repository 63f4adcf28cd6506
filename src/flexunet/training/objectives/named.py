"""Losses and metrics by name: `get_loss("0.5*dice + 0.5*ssim_loss")`, `get_metric("iou_coef")`.

The metric of an epoch is the *unweighted* mean over its batches, as in the published curves, unless its row
says that it is the mean over images.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from flexunet.errors import ConfigError
from flexunet.training.objectives import component_losses, lesion_losses, losses, metrics
from flexunet.training.objectives.expression import parse_losses
from flexunet.training.objectives.ignoring import arguments, counted_pixels, require_ignoring
from flexunet.training.objectives.names import unknown_name
from flexunet.training.objectives.rows import BUILT_IN, LOSSES, METRICS, Function, Loss, Metric
from flexunet.training.objectives.tensors import mean_by_image, without_cells

# Each of these gives its functions their rows when it is imported.
MODULES = (losses, lesion_losses, component_losses, metrics)


def get_loss(name: str, num_classes: int | None = None, *, ignoring: bool = False) -> Callable[..., Any]:
    """A loss by its name, or a weighted sum of losses, ready for `model.compile`.

    Args:
        name: A name of `LOSSES`, or a sum of losses as `parse_losses` reads it.
        num_classes: Channels of the model, where known, so that a loss that cannot learn there is refused.
        ignoring: Whether the truth of some pixels is -1, and they must not count.

    Raises:
        ConfigError: if no loss has that name, it is degenerate with `num_classes`, or ignored pixels cannot
            be left out of it.
    """
    if name in LOSSES and LOSSES[name].published and not ignoring:
        return _checked(LOSSES[name], num_classes)
    return LossSum(name, num_classes, ignoring=ignoring)


def needs_cells(expression: str) -> bool:
    """Whether a sum of losses takes the cells of components, which batches then bring along."""
    return any(LOSSES[term.name].needs_cells for term in parse_losses(expression))


def _checked(row: Loss, num_classes: int | None) -> Callable[..., Any]:
    if num_classes == 1 and row.needs_classes:
        raise ConfigError(
            f"[model] loss = '{row.name}' needs two classes or more, and [model] num_classes is 1: with a "
            "single channel it is 0 whatever the model predicts. Set loss = 'binary_crossentropy' (or "
            "'bce_dice_loss'), or num_classes = 2."
        )
    return row.function


@keras.saving.register_keras_serializable(package="flexunet")
class LossSum(keras.losses.Loss):
    """A weighted sum of losses, ready for `model.compile`.

    Args:
        expression: The sum as text.
        num_classes: Channels of the model, where known.
        ignoring: Whether the truth of some pixels is -1, and they do not count.
    """

    def __init__(
        self, expression: str, num_classes: int | None = None, *, ignoring: bool = False, **kwargs: Any
    ):
        super().__init__(name="loss_sum", reduction=kwargs.get("reduction", "sum_over_batch_size"))
        self.expression = expression
        self.terms = parse_losses(expression)
        self.functions = [_checked(LOSSES[term.name], num_classes) for term in self.terms]
        self.takes_cells = [LOSSES[term.name].needs_cells for term in self.terms]
        self.ignoring = ignoring
        if ignoring:
            for term in self.terms:
                require_ignoring(LOSSES[term.name], "[model] loss")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per image `(N,)`, or a scalar if every term pools the batch."""
        y_true, cells = without_cells(y_true, y_pred)
        counted = counted_pixels(y_true) if self.ignoring else None
        total: Any = 0.0
        for term, function, takes_cells in zip(self.terms, self.functions, self.takes_cells, strict=True):
            given, settings = arguments(LOSSES[term.name], y_true, y_pred, counted)
            value = function(*given, *([cells] if takes_cells else []), **term.settings, **settings)
            if len(value.shape) > 1:  # one of one's own, of each pixel
                value = mean_by_image(value)
            total = total + term.weight * value
        return total

    def get_config(self) -> dict[str, Any]:
        """The text alone: the terms are read from it again."""
        return {"expression": self.expression} | ({"ignoring": True} if self.ignoring else {})


@keras.saving.register_keras_serializable(package="flexunet")
class PublishedMean(keras.metrics.Metric):
    """A metric averaged as in the published curves: unweighted mean over batches of each batch's mean.

    An uneven last batch counts as much as a full one. (The loss of an epoch is the mean over images; that is
    Keras's own rule and needs nothing here.)

    Args:
        fn: Function of one-hot truth and probabilities, giving a scalar or one value an image.
        name: Name in logs and curves.
        row: Its row, where the truth of some pixels is -1 and they do not count; None: all pixels count.
    """

    def __init__(
        self, fn: Callable[..., Any], name: str, row: Loss | Metric | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, dtype="float32", **kwargs)
        self.fn = fn
        self.row = row
        self.total = self.add_weight(name="total", initializer="zeros")
        self.batches = self.add_weight(name="batches", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch; weights of samples are not used, as published."""
        value = self.value(y_true, y_pred)
        self.total.assign_add(ops.cast(ops.mean(value), "float32"))
        self.batches.assign_add(1.0)

    def value(self, y_true: Any, y_pred: Any) -> Any:
        """What the function gives for a batch: a scalar, or one value per image."""
        y_true = without_cells(y_true, y_pred)[0]
        if self.row is None:
            return self.fn(y_true, y_pred)
        given, settings = arguments(self.row, y_true, y_pred, counted_pixels(y_true))
        return self.fn(*given, **settings)

    def result(self) -> Any:
        """Mean over the batches seen since the last reset; 0 before the first."""
        return ops.divide_no_nan(self.total, self.batches)

    def get_config(self) -> dict[str, Any]:
        """The name, and whether pixels are ignored: the function is found again by it."""
        return {"name": self.name} | ({"ignoring": True} if self.row is not None else {})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PublishedMean:
        """The metric of that name."""
        return get_metric(config["name"], ignoring=config.get("ignoring", False))


@keras.saving.register_keras_serializable(package="flexunet")
class MeanOverImages(PublishedMean):
    """A metric averaged over the images that have a value; 0 where none has one.

    Args:
        fn: Function of one-hot truth and probabilities, giving one value per image, NaN for none.
        name: Name in logs and curves.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the images of one batch; weights of samples are not used."""
        values = ops.cast(self.value(y_true, y_pred), "float32")
        has_value = ops.logical_not(ops.isnan(values))
        self.total.assign_add(ops.sum(ops.where(has_value, values, 0.0)))
        self.batches.assign_add(ops.sum(ops.cast(has_value, "float32")))


def is_lower_better(name: str) -> bool:
    """Whether a smaller figure of that name is the better one, as it is for the loss; `val_` may precede it.

    Raises:
        ConfigError: if there is no loss or metric of that name.
    """
    name = name.removeprefix("val_")
    if name == "loss":
        return True
    return _metric_row(name, "[train] monitor").lower_is_better


def _metric_row(name: str, key: str) -> Metric:
    rows = {
        row.name: Metric(row.name, row.function, lower_is_better=True, ignored=row.ignored)
        for row in LOSSES.values()
    } | METRICS
    if name not in rows:
        raise ConfigError(unknown_name(key, name, "a metric", rows))
    return rows[name]


def get_metric(
    name: str, *, hybrid_alpha: float = 1.0, hybrid_beta: float = 1.0, ignoring: bool = False
) -> PublishedMean:
    """A fresh metric by its name, ready for `model.compile`.

    Args:
        name: A name of `METRICS`, or of a loss (the published system allows a loss as metric).
        hybrid_alpha: Weight of `dice_coef_multiclass` in `dice_coef_hybrid`, `[model] hybrid_alpha`.
        hybrid_beta: Weight of `dice_coef_foreground` in it, `[model] hybrid_beta`.
        ignoring: Whether the truth of some pixels is -1, and they must not count.

    Raises:
        ConfigError: if no metric has that name, the two weights sum to zero or less, or ignored pixels cannot
            be left out of it.
    """
    row = _metric_row(name, "[model] metrics")
    if ignoring:
        require_ignoring(row, "[model] metrics")
    kept = row if ignoring else None
    if row.over_images:
        return MeanOverImages(row.function, name, kept)
    if name != "dice_coef_hybrid":
        return PublishedMean(row.function, name, kept)
    if hybrid_alpha + hybrid_beta <= 0:
        raise ConfigError(
            f"[model] hybrid_alpha + hybrid_beta is {hybrid_alpha + hybrid_beta:g}, and must be above 0: "
            "they weight dice_coef_multiclass and dice_coef_foreground in dice_coef_hybrid."
        )
    return PublishedMean(partial(metrics.dice_coef_hybrid, alpha=hybrid_alpha, beta=hybrid_beta), name, kept)


def register_loss(name: str, function: Function) -> None:
    """Add a loss of one's own, for `[model] loss`, alone or in a sum: `"0.5*mine(scale=2) + 0.5*dice"`.

    Args:
        name: Letters, digits and `_`, not the name of a loss or metric of FlexUNet. A name of one's own is
            replaced when it is registered again.
        function: Of one-hot truth and probabilities, tensors `(N, H, W, classes)`, to one value per image
            `(N,)`, one per pixel `(N, H, W)`, or a scalar. Further parameters are numbers that an expression
            sets.

    Raises:
        ConfigError: if the name cannot be used, or the function cannot be called with truth and prediction.

    Examples:
        >>> import keras
        >>> def half_squared_error(truth, probabilities, scale=1.0):
        ...     return 0.5 * scale * keras.ops.mean((truth - probabilities) ** 2, axis=-1)
        >>> flexunet.register_loss("half_squared_error", half_squared_error)
        >>> config = flexunet.Config(model={"loss": "dice_loss + half_squared_error(scale=2)"})
    """
    _check_own(name, function, "loss")
    LOSSES[name] = Loss(name, function)


def register_metric(name: str, function: Function) -> None:
    """Add a metric of one's own, for `[model] metrics`.

    Args:
        name: As for `register_loss`.
        function: Of one-hot truth and probabilities, tensors `(N, H, W, classes)`, to one value per image
            `(N,)`, or a scalar. The metric of an epoch is the mean over its batches.

    Raises:
        ConfigError: if the name cannot be used, or the function cannot be called with truth and prediction.

    Examples:
        >>> import keras
        >>> def largest_error(truth, probabilities):
        ...     return keras.ops.max(keras.ops.abs(truth - probabilities), axis=(1, 2, 3))
        >>> flexunet.register_metric("largest_error", largest_error)
        >>> config = flexunet.Config(model={"metrics": ["dice_coef_foreground", "largest_error"]})
    """
    _check_own(name, function, "metric")
    METRICS[name] = Metric(name, function)


def _check_own(name: str, function: Function, kind: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ConfigError(
            f"{name!r} cannot be the name of a {kind}: expected letters, digits and '_', such as 'my_{kind}'."
        )
    if name in BUILT_IN or name == "loss" or name.startswith("val_"):
        raise ConfigError(f"the {kind} {name!r} would hide one of FlexUNet; choose another, as 'my_{name}'.")
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the {kind} {name!r} must be a function of truth and prediction, found {function!r}: {error}."
        ) from error
