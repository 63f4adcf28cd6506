"""Initial weights without waiting for JAX, which compiles a program for each shape that is drawn.

A small U-Net waits twenty seconds for that, a large one minutes. While a model is built the draws come from
NumPy instead; a run replaces them by its own in any case (initial.py). A model that is to be filled from a
file is built without any: TensorFlow keeps some of what it computes for them, 270 MB for the published model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from scipy import special

from flexunet.models.keras_private import draw_seed, engine_random


@contextmanager
def quick_draws() -> Iterator[None]:
    """Let Keras draw with NumPy where it runs on JAX; elsewhere nothing changes."""
    if keras.backend.backend() != "jax":
        yield
        return
    with _drawing_by(normal=_normal, uniform=_uniform, truncated_normal=_truncated_normal):
        yield


@contextmanager
def no_draws() -> Iterator[None]:
    """Let Keras take zeros for all that it would draw."""
    with _drawing_by(normal=_zeros, uniform=_zeros, truncated_normal=_zeros):
        yield


@contextmanager
def _drawing_by(**replaced: Any) -> Iterator[None]:
    engine = engine_random()
    before = {name: getattr(engine, name) for name in replaced}
    for name, draw in replaced.items():
        setattr(engine, name, draw)
    try:
        yield
    finally:
        for name, draw in before.items():
            setattr(engine, name, draw)


def _zeros(shape: Any, *_: Any, dtype: Any = None, **__: Any) -> Any:
    return keras.ops.zeros(shape, dtype=dtype or keras.config.floatx())


def _stream(seed: Any) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.asarray(draw_seed(seed)).astype(np.uint32).tolist()))


def _tensor(values: np.ndarray, dtype: str | None) -> Any:
    return keras.ops.convert_to_tensor(values.astype(np.float32), dtype=dtype or keras.config.floatx())


def _normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    return _tensor(_stream(seed).standard_normal(shape, np.float32) * stddev + mean, dtype)


def _uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return _tensor(_stream(seed).random(shape, np.float32) * (maxval - minval) + minval, dtype)


def _truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal draws between two deviations either side, by the inverse of their distribution."""
    edge = 0.5 * (1 + math.erf(-2 / math.sqrt(2)))
    shares = _stream(seed).random(shape, np.float32) * (1 - 2 * edge) + edge
    return _tensor(special.ndtri(shares) * stddev + mean, dtype)
