"""How long a training step takes: the model as a run makes it, some steps, the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.models.precision import choose_precision, gpu_capability
from flexunet.models.registry import build_model
from flexunet.models.small_maps import multiply_small_maps
from flexunet.training.allocation import keep_freed_memory
from flexunet.training.compiling import compile_model
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.optimizer.pace import Pace

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_WARM_UP, _TIMED = 2, 20
_LONGEST = 30.0  # seconds after which fewer timed steps are enough


def timed_steps(config: Config, batches: Sequence[Any]) -> Iterator[float]:
    """Seconds of each of some training steps, their batches included, after the first ones.

    Args:
        config: The configuration; the model has new weights.
        batches: Pairs of images and targets; each is asked for when its step begins.
    """
    keep_freed_memory()
    model = build_model(config, policy=choose_precision(config.train.precision)[0])
    if gpu_capability() is None:
        multiply_small_maps(model)
    if config.model.deep_supervision:
        model = supervise_deeply(model, config)
    compile_model(config, model, Pace(len(batches)))
    began = time.perf_counter()
    for step in range(_WARM_UP + _TIMED):
        start = time.perf_counter()
        images, targets = batches[step % len(batches)]
        model.train_on_batch(images, targets)
        if step >= _WARM_UP:
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
