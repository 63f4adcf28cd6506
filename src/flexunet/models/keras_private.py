"""Every private part of Keras that is reached into, and what for. Seen in Keras 3.15.1.

Keras promises none of these names. When a version drops one, the function that needs it is here, and the test
of this module says which. No other module names `keras.src` or such an attribute.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import keras


def functional_class() -> Any:
    """`keras.src.models.functional.Functional`: `keras.Model(...)` makes one; it has no public name."""
    from keras.src.models.functional import Functional

    return Functional


def engine_random() -> ModuleType:
    """`keras.src.backend.ENGINE.random`: the functions by which initializers draw, to be replaced."""
    return importlib.import_module(f"keras.src.backend.{keras.backend.backend()}.random")


def draw_seed(seed: Any) -> Any:
    """`keras.src.random.seed_generator.draw_seed`: two numbers that a draw starts from."""
    from keras.src.random.seed_generator import draw_seed

    return draw_seed(seed)


def replace_data_input(distribute: Callable[[Any, Any, str], Any]) -> None:
    """`distribution_lib.distribute_data_input` of JAX: how a batch comes to all devices.

    Keras shards every batch in the way of the first one, which an odd last batch does not fit.
    """
    from keras.src.backend.jax import distribution_lib

    distribution_lib.distribute_data_input = distribute


def own_variables(layer: Any) -> list[Any]:
    """`_trainable_variables` and `_non_trainable_variables`: those of a layer without the layers within it.

    The public `variables` have those within too, and the seeds of dropout.
    """
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def inner_layers(layer: Any) -> list[Any]:
    """`_layers`: the layers within a layer; only models tell theirs in public."""
    return list(getattr(layer, "_layers", ()))


def all_layers(layer: Any) -> Iterator[Any]:
    """A layer and all layers within it, at any depth."""
    yield layer
    for inner in inner_layers(layer):
        yield from all_layers(inner)


def seed_generators(layer: Any) -> list[Any]:
    """`_seed_generators`: what a layer draws its dropout from."""
    return list(getattr(layer, "_seed_generators", ()))


def parents_of(layer: Any) -> list[Any]:
    """`_inbound_nodes`: the layers whose outputs a layer takes, in a functional model."""
    nodes = getattr(layer, "_inbound_nodes", ())
    return [parent.operation for node in nodes for parent in node.parent_nodes]


def kept_logits(probabilities: Any) -> Any:
    """`_keras_logits`: what softmax or sigmoid was given, kept on their result; None where it is not."""
    return getattr(probabilities, "_keras_logits", None)


def own_optimizer_variables(optimizer: Any) -> list[Any]:
    """`_variables`: those of an optimizer alone, where its class has a wider public `variables`."""
    return list(optimizer._variables)


def optimized_variables(optimizer: Any) -> list[Any]:
    """`_trainable_variables` of an optimizer: what it moves."""
    return list(optimizer._trainable_variables)


def steps_counter(optimizer: Any) -> Any:
    """`_iterations`: an optimizer's own count of steps, where its class has another public `iterations`."""
    return optimizer._iterations
