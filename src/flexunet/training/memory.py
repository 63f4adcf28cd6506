"""Memory of a training step: refused beforehand where it cannot fit, explained where the engine ran out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flexunet.errors import OutOfMemoryError
from flexunet.machine import memory_bytes

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

_GIB = 2**30
# What the engines say, each in its own class, when an array does not fit.
_ENGINE_ERRORS = (
    "ResourceExhaustedError",
    "OutOfMemoryError",
    "MemoryError",
    "XlaRuntimeError",
    "JaxRuntimeError",
)
_ENGINE_WORDS = (
    "resource_exhausted",
    "out of memory",
    "oom when allocating",
    "can't allocate memory",
    "bad_alloc",
)


def step_bytes(model: keras.Model, batch_size: int) -> int:
    """The least that a step needs: weights, gradients, both Adam moments, and the outputs of the layers.

    A lower bound, so that what is refused could never have run.
    """
    weights = sum(int(_size(weight.shape)) for weight in model.weights) * 4 * 4
    bytes_each = 4 if model.dtype_policy.compute_dtype == "float32" else 2
    outputs = sum(int(_size(layer.output.shape[1:])) for layer in model.layers if _keeps_output(layer))
    return weights + outputs * bytes_each * batch_size


def _keeps_output(layer: keras.Layer) -> bool:
    # Others hand on an array that one of these holds, or that an engine can make in place.
    kinds = ("Conv2D", "Conv2DTranspose", "BatchNormalization", "Dense", "DepthwiseConv2D")
    return type(layer).__name__ in kinds


def _size(shape: tuple[int | None, ...]) -> int:
    size = 1
    for length in shape:
        size *= length or 1
    return size


def check_memory(model: keras.Model, config: Config, available: int | None = None) -> None:
    """Refuse a batch that cannot fit into the machine's memory before hours are spent on decoding images.

    Args:
        model: The model to be trained.
        config: Its configuration.
        available: Bytes of memory; the machine's, if not given.

    Raises:
        OutOfMemoryError: with the batch size that would fit.
    """
    available = available or memory_bytes()
    batch_size = config.train.batch_size
    needed = step_bytes(model, batch_size)
    if available is None or needed <= available:
        return
    fitting = [size for size in range(1, batch_size) if step_bytes(model, size) <= available]
    remedy = (
        f"set [train] batch_size to {fitting[-1]} or less"
        if fitting
        else "make [model] image_width and image_height, base_filters or num_layers smaller"
    )
    raise OutOfMemoryError(
        f"a training step with [train] batch_size = {batch_size} at "
        f"{config.model.image_width} x {config.model.image_height} pixels needs at least "
        f"{needed / _GIB:.1f} GiB, and this machine has {available / _GIB:.1f} GiB: {remedy}."
    )


@contextmanager
def explained_memory_errors(config: Config) -> Iterator[None]:
    """Turn an engine's out-of-memory error into ours, which names the setting to change."""
    try:
        yield
    except Exception as error:
        words = f"{error}".lower()
        if type(error).__name__ not in _ENGINE_ERRORS or not (
            isinstance(error, MemoryError) or any(word in words for word in _ENGINE_WORDS)
        ):
            raise
        raise OutOfMemoryError(
            f"the engine ran out of memory with [train] batch_size = {config.train.batch_size} at "
            f"{config.model.image_width} x {config.model.image_height} pixels: make batch_size or the image "
            f"smaller. It said: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}"
        ) from error
