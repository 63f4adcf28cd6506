"""Which array of a weights file belongs to which weight of a model, and what to change where none does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import keras

from flexunet.errors import WeightsError
from flexunet.models.layers.layer_variables import layers_with_variables, whole_layers_with_variables
from flexunet.models.weights.file import StoredArray, StoredLayer, StoredWeights

Shapes = list[tuple[int, ...]]
# Ends a message where the shapes alone do not say which keys would fit (fitting_keys.py tries some).
UNKNOWN_ORIGIN = " It comes from another architecture, or from this one with other keys."


def pair_weights(model: keras.Model, stored: StoredWeights) -> list[tuple[Any, StoredArray]]:
    """Each weight of the model with its array in the file; nothing is read or changed.

    Layers are matched by their order, not by their names: the counters in names start wherever the session
    that saved them had got to.

    Args:
        model: The model as configured.
        stored: What the file holds.

    Raises:
        WeightsError: if they do not fit; the message names the first layer that differs and the keys of the
            configuration that would fit the file.
    """
    if stored.is_ordered and _all_fit(whole := whole_layers_with_variables(model), stored.layers):
        return _pairs(whole, stored.layers)
    layers = list(layers_with_variables(model))
    # Kind by kind: the first Conv2D of the file to the first of the model, and so on.
    by_kind = _by_kind(stored.layers)
    taken: list[StoredLayer | None] = []
    for layer, _ in layers:
        waiting = by_kind[_kind(layer)]
        taken.append(waiting.pop(0) if waiting else None)
    left_over = [layer for waiting in by_kind.values() for layer in waiting]
    if None in taken or left_over or not _all_fit(layers, [layer for layer in taken if layer]):
        raise WeightsError(_explain(layers, taken, left_over, stored))
    return _pairs(layers, [layer for layer in taken if layer])


def _kind(layer: Any) -> str:
    """The name that Keras would choose for a layer of this class, without counter."""
    name = re.sub(r"\W+", "", type(layer).__name__)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _by_kind(layers: Iterable[StoredLayer]) -> dict[str, list[StoredLayer]]:
    by_kind: dict[str, list[StoredLayer]] = defaultdict(list)
    for layer in layers:
        by_kind[layer.kind].append(layer)
    return by_kind


def _shapes(variables: Sequence[Any]) -> Shapes:
    return [tuple(variable.shape) for variable in variables]


def _all_fit(layers: Sequence[tuple[Any, list[Any]]], stored: Sequence[StoredLayer]) -> bool:
    return len(layers) == len(stored) and all(
        _shapes(variables) == found.shapes for (_, variables), found in zip(layers, stored, strict=True)
    )


def _pairs(
    layers: Sequence[tuple[Any, list[Any]]], stored: Sequence[StoredLayer]
) -> list[tuple[Any, StoredArray]]:
    return [
        pair
        for (_, variables), found in zip(layers, stored, strict=True)
        for pair in zip(variables, found.arrays, strict=True)
    ]


def unet_settings(layers: Iterable[tuple[str, Shapes]]) -> dict[str, Any] | None:
    """The keys of `[model]` that a FlexUNet's weights betray.

    Args:
        layers: Kind of each layer and shapes of its weights, each kind in the order of the model.

    Returns:
        num_layers, base_filters, base_kernels, image_channels, num_classes and normalization; None where the
        layers are not those of a FlexUNet.
    """
    kernels: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for kind, shapes in layers:
        kernels[kind].append(shapes[0])
    convs, ups = kernels["conv2d"], kernels["conv2d_transpose"]
    if set(kernels) - {"conv2d", "conv2d_transpose", "batch_normalization"} or (len(convs) + 1) % 4:
        return None
    num_layers = (len(convs) + 1) // 4
    if len(ups) != num_layers - 1 or any(len(shape) != 4 for shape in convs) or convs[-1][:2] != (1, 1):
        return None
    height, width, channels, filters = convs[0]
    return {
        "num_layers": num_layers,
        "base_filters": filters,
        "base_kernels": (height, width),
        "normalization": bool(kernels["batch_normalization"]),
        "image_channels": channels,
        "num_classes": convs[-1][-1],
    }


def _explain(
    layers: Sequence[tuple[Any, list[Any]]],
    taken: Sequence[StoredLayer | None],
    left_over: Sequence[StoredLayer],
    stored: StoredWeights,
) -> str:
    """One message: where file and model part, and what to set."""
    message = (
        f"{stored.path} does not fit the configured model: {_first_difference(layers, taken, left_over)}"
    )
    wanted = unet_settings((_kind(layer), _shapes(variables)) for layer, variables in layers)
    found = unet_settings((layer.kind, layer.shapes) for layer in stored.layers)
    if found is None and wanted is None:
        return f"{message}{UNKNOWN_ORIGIN}"
    if found is None:
        return f"{message} The file holds another architecture: set [model] model to the one it came from."
    if wanted is None:
        return f"{message} The file holds a FlexUNet ({_as_keys(found)}): set [model] model = 'flexunet'."
    differing = {key: value for key, value in found.items() if wanted[key] != value}
    if not differing:
        return f"{message} The file's U-Net is built by another rule than [model] model names."
    current = _as_keys({key: wanted[key] for key in differing})
    return f"{message} To use this file set [model] {_as_keys(differing)} (configured: {current})."


def _first_difference(
    layers: Sequence[tuple[Any, list[Any]]],
    taken: Sequence[StoredLayer | None],
    left_over: Sequence[StoredLayer],
) -> str:
    for (layer, variables), found in zip(layers, taken, strict=True):
        if found is None:
            return (
                f"layer {layer.name}: the file has no {type(layer).__name__} for it, "
                f"the configuration asks for {_described(_shapes(variables))}."
            )
        for variable, array in zip_longest(variables, found.arrays):
            if variable is None or array is None or tuple(variable.shape) != array.shape:
                return (
                    f"layer {layer.name} ({found.name} in the file): the file has "
                    f"{_described(found.shapes)}, the configuration asks for "
                    f"{_described(_shapes(variables))}."
                )
    extra = left_over[0]
    return (
        f"layer {extra.name} of the file, {_described(extra.shapes)}, has no place in it "
        f"({len(left_over)} such layer{'s' if len(left_over) > 1 else ''})."
    )


def _described(shapes: Shapes) -> str:
    """Shapes as people say them: a kernel of 9x9x3x16 and 16."""
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes) or "no weights"


def _as_keys(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in settings.items())
