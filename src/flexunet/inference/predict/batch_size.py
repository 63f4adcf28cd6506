"""How many images or tiles go through a model in one call, by the memory that they take there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

# Bytes of activations in one call. A processor gains little beyond two images, a GPU a great deal.
_PROCESSOR = 256 << 20
_GPU = 2 << 30
_MOST = 32
# Tensors of the largest size that are alive at a time: a layer's input and output, a skip, and a copy.
_ALIVE = 4


def batch_size_for(model: Any, fallback: int) -> int:
    """Most images in one call of a Keras model; `fallback` for a model that does not tell its layers."""
    largest = max((_bytes_of(layer) for layer in _layers_of(model)), default=0)
    if not largest:
        return fallback
    return int(np.clip((_GPU if _on_gpu() else _PROCESSOR) // (_ALIVE * largest), 1, _MOST))


def _layers_of(model: Any) -> Iterator[Any]:
    """Its layers, and those within them: a model may stand in another one."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers_of(layer)


def _bytes_of(layer: Any) -> int:
    """Bytes of a layer's output for one image; 0 where it does not tell."""
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):  # not called, or called more than once
        return 0
    known = [side for side in shape[1:] if side]
    return 4 * int(np.prod(known)) if known else 0


def _on_gpu() -> bool:
    import keras

    engine = keras.config.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if engine == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import torch

    return torch.cuda.is_available()
