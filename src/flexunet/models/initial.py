"""Initial weights drawn in NumPy, so that one seed gives the same model on every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from flexunet.models.layers.layer_variables import layers_with_variables

# What each initializer of Keras that scales with the size of a layer stands for: scale, mode, distribution.
_SCALINGS = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}
_PLAIN = {"VarianceScaling", "RandomUniform", "RandomNormal", "TruncatedNormal"}
# Standard deviation of a standard normal cut off at two.
_TRUNCATED_STDDEV = 0.87962566103423978


def draw_initial_weights(model: keras.Model, seed: int) -> None:
    """Replace the weights of a freshly built model by draws that depend on the seed alone.

    Every weight whose layer has an initializer of the scaled families (Glorot, He, LeCun, VarianceScaling) or
    a plain uniform or normal one is drawn anew by that rule; others (zeros, ones, pretrained) stay.

    Args:
        model: A built model; changed in place.
        seed: Seed; the draw of a weight depends on it, on the place of its layer and on its shape.

    Source: Glorot, X. and Bengio, Y. (2010), AISTATS, 249-256; He, K. et al. (2015), ICCV, 1026-1034.
    """
    for place, (variable, initializer) in enumerate(_drawn_variables(model)):
        # SFC64 is the fastest of NumPy's generators; a 125 million parameter model must not wait for it.
        stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, place])))
        variable.assign(_draw(stream, tuple(variable.shape), initializer))


def _drawn_variables(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Each variable that is drawn, with the initializer its layer names for it."""
    for layer, variables in layers_with_variables(model):
        for variable in variables:
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            if variable.name == "kernel":
                # Keras names the one of a depthwise kernel after the layer.
                initializer = getattr(layer, "depthwise_initializer", initializer)
            if initializer is not None and _is_drawn(initializer):
                yield variable, initializer


def _is_drawn(initializer: Any) -> bool:
    kind = type(initializer).__name__
    return kind in _SCALINGS or kind in _PLAIN


def _draw(stream: np.random.Generator, shape: tuple[int, ...], initializer: Any) -> np.ndarray:
    kind = type(initializer).__name__
    config = initializer.get_config()
    if kind == "RandomUniform":
        return _uniform(stream, shape, config["minval"], config["maxval"])
    if kind == "RandomNormal":
        draws = stream.standard_normal(shape, dtype=np.float32)
        return draws * np.float32(config["stddev"]) + np.float32(config["mean"])
    if kind == "TruncatedNormal":
        return _truncated_normal(stream, shape, config["stddev"]) + np.float32(config["mean"])
    if kind in _SCALINGS:
        scale, mode, distribution = _SCALINGS[kind]
    else:
        scale, mode, distribution = config["scale"], config["mode"], config["distribution"]
    fan_in, fan_out = _fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = math.sqrt(3.0 * variance)
        return _uniform(stream, shape, -limit, limit)
    if distribution == "untruncated_normal":
        return stream.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(variance))
    return _truncated_normal(stream, shape, math.sqrt(variance) / _TRUNCATED_STDDEV)


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Inputs and outputs of one unit, as Keras counts them (the last two axes are in and out)."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    receptive = math.prod(shape[:-2])
    return float(shape[-2] * receptive), float(shape[-1] * receptive)


def _uniform(stream: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    draws = stream.random(shape, dtype=np.float32)
    draws *= np.float32(high - low)
    draws += np.float32(low)
    return draws


def _truncated_normal(stream: np.random.Generator, shape: tuple[int, ...], stddev: float) -> np.ndarray:
    """Normal draws; those beyond two standard deviations are drawn again."""
    draws = stream.standard_normal(math.prod(shape), dtype=np.float32)
    outside = np.flatnonzero(np.abs(draws) > 2)
    while outside.size:
        draws[outside] = stream.standard_normal(outside.size, dtype=np.float32)
        outside = outside[np.abs(draws[outside]) > 2]
    draws *= np.float32(stddev)
    return draws.reshape(shape)
