"""The losses and metrics that a configuration may name: one row each, made where the function is defined.

    @loss(above_zero=("gamma",))
    def focal_tversky(y_true, y_pred, alpha=0.3, beta=0.7, gamma=4 / 3): ...

The function's name is the row's name; its parameters after truth and prediction are what an expression sets.
`named.register_loss` and `named.register_metric` add rows of one's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

Function = Callable[..., Any]


@dataclass(frozen=True)
class Loss:
    """One loss.

    Attributes:
        name: Its name in `[model] loss`.
        function: Of one-hot truth and probabilities `(N, H, W, classes)`, and its parameters.
        above_zero: Parameters that must be above 0.
        needs_classes: Whether it is 0 with a single channel, whatever the model predicts.
        needs_cells: Whether it takes the cells of components after truth and probabilities.
        published: Whether the published system has it; a model is then saved with the function itself.
        ignored: How ignored pixels are left out of it, one of `IGNORING`; None: they cannot be.
    """

    name: str
    function: Function
    above_zero: tuple[str, ...] = ()
    needs_classes: bool = False
    needs_cells: bool = False
    published: bool = False
    ignored: str | None = None

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that an expression may set."""
        names = list(inspect.signature(self.function).parameters)[3 if self.needs_cells else 2 :]
        return [name for name in names if name != "counted"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name in `[model] metrics`.
        function: Of one-hot truth and probabilities `(N, H, W, classes)`.
        over_images: Whether an epoch's figure is the mean over its images, those without a value (NaN) left
            out; otherwise it is the mean over batches, as published.
        lower_is_better: Whether a smaller figure is the better one.
        ignored: As of a loss.
    """

    name: str
    function: Function
    over_images: bool = False
    lower_is_better: bool = False
    ignored: str | None = None


# How a function leaves ignored pixels out. zeroed: it is made of sums over pixels, and gets truth and
# probabilities that are 0 there. counted: it takes the pixels that count as `counted`. cells: they lie in
# none of the cells that it sums over.
IGNORING = ("zeroed", "counted", "cells")
LOSSES: dict[str, Loss] = {}
METRICS: dict[str, Metric] = {}
BUILT_IN: set[str] = set()


def loss(*names: str, **properties: Any) -> Callable[[Function], Function]:
    """Give a function a row under these names, or its own."""

    def with_row(function: Function) -> Function:
        for name in names or (function.__name__,):
            LOSSES[name] = Loss(name, function, **properties)
            BUILT_IN.add(name)
        return function

    return with_row


def published_loss(*names: str, **properties: Any) -> Callable[[Function], Function]:
    """As `loss`, for a loss of the published system."""
    with_row = loss(*names, published=True, **properties)
    return lambda function: with_row(keras.saving.register_keras_serializable(package="flexunet")(function))


def metric(*names: str, **properties: Any) -> Callable[[Function], Function]:
    """Give a function a row under these names, or its own."""

    def with_row(function: Function) -> Function:
        for name in names or (function.__name__,):
            METRICS[name] = Metric(name, function, **properties)
            BUILT_IN.add(name)
        return function

    return with_row
