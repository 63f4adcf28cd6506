"""A model with its configured loss, metrics and optimizer, and the published figures it then has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from flexunet.data.configured import open_split
from flexunet.models.precision import choose_jit
from flexunet.training.batches.feeding import evaluation_batches
from flexunet.training.checkpoint.state import build_figures
from flexunet.training.deep_supervision import without_heads
from flexunet.training.memory import explained_memory_errors
from flexunet.training.objectives.named import get_loss, get_metric, needs_cells
from flexunet.training.optimizer.build import build_optimizer

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.training.optimizer.pace import Pace


def compile_model(
    config: Config,
    model: keras.Model,
    pace: Pace | None = None,
    loss: Callable[..., Any] | None = None,
) -> None:
    """Give a model its configured loss, metrics and optimizer.

    Args:
        config: The configuration.
        model: The model; changed in place.
        pace: How the steps of the run make updates; none for a model that is not trained.
        loss: Instead of the configured one.
    """
    ignoring = config.mask.ignore is not None
    metrics = [
        get_metric(
            name,
            hybrid_alpha=config.model.hybrid_alpha,
            hybrid_beta=config.model.hybrid_beta,
            ignoring=ignoring,
        )
        for name in config.computed_metrics
    ]
    model.compile(
        # With heads beside it a model does not tell its precision.
        optimizer=build_optimizer(config, pace, without_heads(model).dtype_policy.name),
        loss=loss or get_loss(config.model.loss, config.model.num_classes, ignoring=ignoring),
        metrics=metrics,
        jit_compile=choose_jit(config.train.jit_compile),
        auto_scale_loss=False,  # build_optimizer did it
    )


def evaluate_published(config: Config, model: keras.Model, split: str = "test") -> dict[str, float]:
    """The two published figures of a split: the loss, and the first metric, by their names.

    The loss is the mean over images; the metric the unweighted mean over batches, as published.
    """
    compile_model(config, model)
    build_figures(model)
    batches = evaluation_batches(
        config,
        open_split(config, split),
        config.evaluate.batch_size,
        cells=needs_cells(config.model.loss),
    )
    with explained_memory_errors(config):
        figures = model.evaluate(batches, return_dict=True, verbose=0)
    metric = config.model.metrics[0] if config.model.metrics else None
    published = {config.model.loss: float(figures["loss"])}
    if metric:
        published[metric] = float(figures[metric])
    return published
