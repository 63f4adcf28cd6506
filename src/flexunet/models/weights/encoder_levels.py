"""Which layers make up the levels of an encoder, counted from the input: those of one resolution a level."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import keras

from flexunet.models.keras_private import parents_of

# Names that say the level, where resolution does not: tokens in a row, and small U-Nets inside a U-Net.
_NAMED = re.compile(r"encoder(\d+)(?:_|$)|u2net_(?:(in)|down_(\d+))_")

# Names of layers that work on the smallest map, but are no part of a pretrained backbone.
_DECODERS = ("bottleneck", "pyramid", "decoder")


def encoder_levels(model: keras.Model) -> dict[int, list[Any]]:
    """The layers of each encoder level, in order.

    Level 0 is the image's own resolution, level n that of 1/2**n. Layers are of the encoder where their names
    say so, and else where the deepest map depends on them.

    Args:
        model: A functional model.

    Returns:
        Level to its layers, only those with weights.
    """
    named = [(_named_level(layer.name), layer) for layer in model.layers if _has_weights(layer)]
    if any(level is not None for level, _ in named):
        return _gathered((level, layer) for level, layer in named if level is not None)
    height = model.input_shape[1]
    return _gathered(
        (_level(layer, height), layer) for layer in _ancestors_of_deepest(model) if _has_weights(layer)
    )


def _named_level(name: str) -> int | None:
    found = _NAMED.match(name)
    if not found:
        return None
    number, first, down = found.groups()
    if first:
        return 0
    return int(down) + 1 if down is not None else int(number)


def _gathered(levels: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    gathered: dict[int, list[Any]] = {}
    for level, layer in levels:
        gathered.setdefault(level, []).append(layer)
    return dict(sorted(gathered.items()))


def _has_weights(layer: Any) -> bool:
    return bool(layer.weights)


def _map_height(layer: Any) -> int | None:
    """Rows of the layer's map; none for anything but a map."""
    output = layer.output[0] if isinstance(layer.output, (list, tuple)) else layer.output
    shape = tuple(output.shape)
    # A map of one pixel is a mean over the image (squeeze and excitation), not a level.
    return shape[1] if len(shape) == 4 and shape[1] and shape[1] * shape[2] > 1 else None


def _level(layer: Any, height: int) -> int:
    rows = _map_height(layer)
    return max(0, round(height / rows).bit_length() - 1) if rows else 10**6


def _ancestors_of_deepest(model: keras.Model) -> list[Any]:
    """The layers up to and with those of the smallest map, in the model's order."""
    maps = [(rows, layer) for layer in model.layers if (rows := _map_height(layer))]
    smallest = min((rows for rows, _ in maps), default=0)
    waiting = [layer for rows, layer in maps if rows == smallest and not layer.name.startswith(_DECODERS)]
    seen: set[int] = set()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        waiting += parents_of(layer)
    return [layer for layer in model.layers if id(layer) in seen]
