"""How long a training step and an epoch take: the model as a run makes it, some steps, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import is_validated, open_split
from flexunet.models.precision import choose_precision, gpu_capability
from flexunet.models.registry import build_model
from flexunet.models.small_maps import multiply_small_maps
from flexunet.training.allocation import keep_freed_memory
from flexunet.training.batches.feeding import training_batches, validation_batches
from flexunet.training.compiling import compile_model
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.memory import check_memory, explained_memory_errors
from flexunet.training.objectives.named import needs_cells
from flexunet.training.optimizer.pace import Pace
from flexunet.training.running_averages import ReEstimation, batches_for_statistics

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

_WARM_UP, _TIMED = 2, 20
_LONGEST = 30.0  # seconds after which fewer timed steps are enough


@dataclass(frozen=True)
class EpochTime:
    """What the parts of an epoch of a run take, in seconds.

    Attributes:
        step: Median of a training step, loading and augmentation included.
        statistics: Re-estimation of batch normalisation before a validation; 0 where there is none.
        validation: A pass over the validation images; 0 without any.
        start: Building and compiling, which a run does once.
    """

    step: float
    statistics: float
    validation: float
    start: float


def time_epoch(config: Config) -> EpochTime:
    """Time some training steps, and what comes after the last one of an epoch, on the images of a run.

    Batches are loaded one after the other. Of validation some batches are timed, and stand for all.

    Args:
        config: The configuration; the model has new weights, and nothing is written but decoded images.

    Raises:
        OutOfMemoryError: if a step does not fit into memory.
        DatasetError: if there is nothing to train on.
    """
    began = time.perf_counter()
    model = _build(config)
    check_memory(model, config)
    model = _supervised(config, model)
    validated = is_validated(config)
    cells = needs_cells(config.model.loss)
    decoding = time.perf_counter()
    training = open_split(config, "train")
    validation = open_split(config, "valid") if validated else None
    decoded = time.perf_counter() - decoding  # once for all runs
    batches = training_batches(config, training, cells=cells)
    count, _ = batches_for_statistics(model, len(batches), config.train)
    with explained_memory_errors(config):
        compile_model(config, model, Pace(len(batches)))
        steps = list(_timed(model.train_on_batch, batches, _WARM_UP, _TIMED))
        step = float(np.median(steps))
        re_estimate = ReEstimation(model, batches, min(1, count))
        re_estimate()  # compiles
        re_estimate.count = count
        before = time.perf_counter()
        re_estimate()
        statistics = time.perf_counter() - before
        passed, timed = 0.0, 0.0
        if validation is not None:
            whole = validation_batches(config, validation, cells=cells)
            each = list(_timed(model.test_on_batch, whole, 1, min(_TIMED, len(whole))))
            timed, passed = sum(each), float(np.mean(each)) * len(whole)
    start = time.perf_counter() - began - decoded - sum(steps) - statistics - timed
    return EpochTime(step, statistics, passed, start)


def timed_steps(config: Config, batches: Sequence[Any]) -> Iterator[float]:
    """Seconds of each of some training steps, their batches included, after the first ones.

    Args:
        config: The configuration; the model has new weights.
        batches: Pairs of images and targets; each is asked for when its step begins.
    """
    model = _supervised(config, _build(config))
    compile_model(config, model, Pace(len(batches)))
    yield from _timed(model.train_on_batch, batches, _WARM_UP, _TIMED)


def _build(config: Config) -> keras.Model:
    keep_freed_memory()
    return build_model(config, policy=choose_precision(config.train.precision)[0])


def _supervised(config: Config, model: keras.Model) -> keras.Model:
    """The model as a run trains it."""
    if gpu_capability() is None:
        multiply_small_maps(model)
    return supervise_deeply(model, config) if config.model.deep_supervision else model


def _timed(work: Callable[..., Any], batches: Sequence[Any], warm_up: int, count: int) -> Iterator[float]:
    """Seconds of some calls of a model, the loading of each batch included; fewer where they are long."""
    began = time.perf_counter()
    for number in range(warm_up + count):
        start = time.perf_counter()
        images, targets = batches[number % len(batches)]
        work(images, targets)
        if number >= warm_up:
            yield time.perf_counter() - start
            if time.perf_counter() - began > _LONGEST:
                return


def seconds_on_noise(config: Config) -> float:
    """Median seconds of a training step on one batch of noise, which costs no loading."""
    model, random = config.model, np.random.default_rng(0)
    size = (config.train.batch_size, model.image_height, model.image_width)
    images = random.uniform(0, 255, (*size, model.image_channels)).astype(np.float32)
    classes = random.integers(0, max(model.num_classes, 2), size)
    targets = np.eye(max(model.num_classes, 2), dtype=np.float32)[classes]
    if model.num_classes == 1:
        targets = targets[..., 1:]
    return float(np.median(list(timed_steps(config, [(images, targets)]))))
