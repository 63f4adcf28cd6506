"""The layers of a model that hold weights, in order, each with its own weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def layers_with_variables(model: keras.Model) -> Iterator[tuple[Any, list[Any]]]:
    """Every layer that holds weights of its own, in the order of the model, nested ones in their place.

    Seeds of dropout are not weights and are left out.
    """
    seen: set[int] = set()

    def walk(layer: Any) -> Iterator[tuple[Any, list[Any]]]:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        if own:
            yield layer, own
        for inner in layer._layers:
            yield from walk(inner)

    for layer in model.layers:
        yield from walk(layer)
