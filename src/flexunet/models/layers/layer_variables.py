"""The layers of a model that hold weights, in order, each with its own weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from flexunet.models.keras_private import inner_layers, own_variables


def layers_with_variables(model: keras.Model) -> Iterator[tuple[Any, list[Any]]]:
    """Every layer that holds weights of its own, in the order of the model, nested ones in their place.

    Seeds of dropout are not weights and are left out.
    """
    seen: set[int] = set()

    def walk(layer: Any) -> Iterator[tuple[Any, list[Any]]]:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        if own := own_variables(layer):
            yield layer, own
        for inner in inner_layers(layer):
            yield from walk(inner)

    for layer in model.layers:
        yield from walk(layer)


def whole_layers_with_variables(model: keras.Model) -> list[tuple[Any, list[Any]]]:
    """The model's own layers that hold weights, each with those of the layers within it, as in Keras 2."""
    owners = [(layer, {id(variable) for variable in layer.variables}) for layer in model.layers]
    gathered: dict[int, tuple[Any, list[Any]]] = {}
    for inner, variables in layers_with_variables(model):
        owner = next((layer for layer, held in owners if id(variables[0]) in held), inner)
        gathered.setdefault(id(owner), (owner, []))[1].extend(variables)
    return list(gathered.values())


def refresh_constants(model: keras.Model) -> None:
    """Let layers that compute with copies of their weights take them anew (Normalization does)."""
    for layer, _ in layers_with_variables(model):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
