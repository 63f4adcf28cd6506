"""Precision and compilation of a step, of training or prediction, chosen from the hardware.

Mixed precision multiplies in a 16-bit type and keeps weights, losses and metrics in float32. It is chosen
only where the hardware has instructions for it; elsewhere it is emulated and slower than float32.
"""

from __future__ import annotations

import os
from typing import Any

import keras

from flexunet.config.nearest import nearest
from flexunet.errors import ConfigError
from flexunet.machine import BFLOAT16_FLAGS, processor_flags, usable_flags

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

_BFLOAT16_CAPABILITY = (8, 0)  # NVIDIA Ampere
_FLOAT16_CAPABILITY = (7, 0)  # NVIDIA Volta


def choose_precision(setting: str) -> tuple[str, str]:
    """The precision of a training run, and why.

    Args:
        setting: `[train] precision`: "auto", or the name of a precision, which is taken as it is.

    Returns:
        Name of a Keras dtype policy, and one sentence for `environment.json`.

    Raises:
        ConfigError: if there is no such precision.
    """
    if setting in PRECISIONS:
        return setting, f"{setting}: set by [train] precision"
    if setting != "auto":
        near = nearest(setting, PRECISIONS, 0.5)
        guess = f" Did you mean '{near}'?" if near else ""
        raise ConfigError(
            f"[train] precision: '{setting}' is not a precision.{guess} "
            f"There are: auto, {', '.join(PRECISIONS)}."
        )
    return precision_for(usable_flags(processor_flags(), os.environ), gpu_capability())


def precision_for(flags: frozenset[str], capability: tuple[int, int] | None) -> tuple[str, str]:
    """The fastest precision that hardware has instructions for, and why.

    Args:
        flags: Instruction sets of the processor, as in /proc/cpuinfo.
        capability: CUDA compute capability of the GPU that the engine uses; none without one.
    """
    if capability is not None:
        generation = f"GPU of compute capability {capability[0]}.{capability[1]}"
        if capability >= _BFLOAT16_CAPABILITY:
            return "mixed_bfloat16", f"mixed_bfloat16: {generation} multiplies bfloat16"
        if capability >= _FLOAT16_CAPABILITY:
            return "mixed_float16", f"mixed_float16: {generation} multiplies float16, not bfloat16"
        return "float32", f"float32: {generation} has no tensor cores"
    found = [flag for flag in BFLOAT16_FLAGS if flag in flags]
    if found:
        return "mixed_bfloat16", f"mixed_bfloat16: no GPU in use, the processor has {found[0]}"
    return "float32", "float32: no GPU in use, the processor is not known to multiply bfloat16"


def gpu_capability() -> tuple[int, int] | None:
    """CUDA compute capability of the first GPU that the engine sees; none where it computes on the processor.

    The engine is asked, not the machine: TensorFlow on native Windows leaves a GPU unused.
    """
    engine = keras.config.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("compute_capability")
    if engine == "jax":
        import jax

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        text = getattr(gpus[0], "compute_capability", None) if gpus else None
        major, _, minor = str(text).partition(".")
        return (int(major), int(minor)) if text else None
    if engine == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    return None


def choose_jit(setting: bool | str) -> bool | str:
    """What `model.compile(jit_compile=...)` is given.

    On TensorFlow without a GPU, "auto" means no XLA: a step with it takes a third longer in float32, and four
    times as long in bfloat16, which XLA only emulates there (benchmarks/RESULTS.md). Elsewhere Keras decides.

    Args:
        setting: `[train] jit_compile`: "auto", True or False.
    """
    if setting != "auto":
        return setting
    if keras.config.backend() == "tensorflow" and gpu_capability() is None:
        return False
    return "auto"
