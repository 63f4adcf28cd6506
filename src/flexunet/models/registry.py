"""Models by name: `build_model(config)` builds what `[model] model` names.

An architecture is one row in `config/architectures.py` and one module of the zoo with a function
`build(config) -> keras.Model`. A module is imported only when its architecture is asked for.
A class of one's own is named `my_package.my_module:MyUNet`, or registered by a package (own_class.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import keras

from flexunet.config.architectures import BY_NAME, Architecture, find_architecture, folded
from flexunet.models.quick_draws import no_draws, quick_draws

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def module_of(row: Architecture) -> ModuleType:
    """The module that builds an architecture: `build(config)`, and what else the zoo's page names."""
    return importlib.import_module(f"flexunet.models.zoo.{row.module}")


def has_decoder_maps(row: Architecture) -> bool:
    """Whether its decoder has levels that can learn from the mask at their own size."""
    return hasattr(module_of(row), "decoder_maps")


def build_model(config: Config, *, policy: str | None = None, drawn: bool = True) -> keras.Model:
    """Build the model that `[model] model` names.

    Args:
        config: The configuration.
        policy: Precision of the layers, such as "mixed_bfloat16"; none: the one in force.
        drawn: Whether weights are drawn; else they are zeros, to be filled from a file.

    Returns:
        A model from images `(N, H, W, C)` in 0..255 to float32 probabilities `(N, H, W, num_classes)`.

    Raises:
        ConfigError: if the name is unknown, or the model cannot be built as configured.

    Examples:
        >>> model = flexunet.build_model(flexunet.load_config("mammogram.toml"))
        >>> model.input_shape, model.output_shape
        ((None, 64, 64, 1), (None, 64, 64, 2))
    """
    name = config.model.model.strip()
    with _precision(policy), quick_draws() if drawn else no_draws():
        if own := own_class_of(name):
            from flexunet.models.own_class import build_own

            return build_own(config, own)
        return module_of(find_architecture(name)).build(config)


def decoder_maps(config: Config) -> list[str]:
    """Layers of the configured model that can carry heads in training, finest first; the last level is none.

    Empty where it has no such levels, and for a class of one's own.
    """
    name = config.model.model.strip()
    if own_class_of(name) or not has_decoder_maps(row := find_architecture(name)):
        return []
    return module_of(row).decoder_maps(config)


def own_class_of(name: str) -> str | None:
    """The class `module:Class` that a name stands for, written so or registered by a package; else none."""
    if ":" in name:
        return name
    if folded(name) in BY_NAME:
        return None
    from flexunet.models.own_class import registered_classes

    return registered_classes().get(name)


@contextmanager
def _precision(policy: str | None) -> Iterator[None]:
    before = keras.config.dtype_policy()
    if policy:
        keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
