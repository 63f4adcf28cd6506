"""The losses and metrics that a configuration may name: one row each, made where the function is defined.

    @loss(above_zero=("gamma",))
    def focal_tversky(y_true, y_pred, alpha=0.3, beta=0.7, gamma=4 / 3): ...

The function's name is the row's name; its parameters after truth and prediction are what an expression sets.
`register_loss` and `register_metric` add rows of one's own.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from flexunet.errors import ConfigError

Function = Callable[..., Any]


@dataclass(frozen=True)
class Loss:
    """One loss.

    Attributes:
        name: Its name in `[model] loss`.
        function: Of one-hot truth and probabilities `(N, H, W, classes)`, and its parameters.
        above_zero: Parameters that must be above 0.
        needs_classes: Whether it is 0 with a single channel, whatever the model predicts.
        published: Whether the published system has it; a model is then saved with the function itself.
    """

    name: str
    function: Function
    above_zero: tuple[str, ...] = ()
    needs_classes: bool = False
    published: bool = False

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that an expression may set."""
        return list(inspect.signature(self.function).parameters)[2:]


LOSSES: dict[str, Loss] = {}
METRICS: dict[str, Function] = {}
_BUILT_IN: set[str] = set()


def loss(*names: str, **properties: Any) -> Callable[[Function], Function]:
    """Give a function a row under these names, or its own."""

    def with_row(function: Function) -> Function:
        for name in names or (function.__name__,):
            LOSSES[name] = Loss(name, function, **properties)
            _BUILT_IN.add(name)
        return function

    return with_row


def published_loss(*names: str, **properties: Any) -> Callable[[Function], Function]:
    """As `loss`, for a loss of the published system."""
    with_row = loss(*names, published=True, **properties)
    return lambda function: with_row(keras.saving.register_keras_serializable(package="flexunet")(function))


def metric(*names: str) -> Callable[[Function], Function]:
    """Give a function a row under these names, or its own."""

    def with_row(function: Function) -> Function:
        for name in names or (function.__name__,):
            METRICS[name] = function
            _BUILT_IN.add(name)
        return function

    return with_row


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
    """
    _check_own(name, function, "metric")
    METRICS[name] = function


def _check_own(name: str, function: Function, kind: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ConfigError(
            f"{name!r} cannot be the name of a {kind}: expected letters, digits and '_', such as 'my_{kind}'."
        )
    if name in _BUILT_IN or name == "loss" or name.startswith("val_"):
        raise ConfigError(f"the {kind} {name!r} would hide one of FlexUNet; choose another, as 'my_{name}'.")
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the {kind} {name!r} must be a function of truth and prediction, found {function!r}: {error}."
        ) from error
