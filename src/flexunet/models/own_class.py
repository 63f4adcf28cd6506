"""Model classes of the user's own: the one place where a configuration names code that is run.

A class is named `my_package.my_module:MyUNet`, or registered by an installed package under the entry point
group `flexunet.models`. `flexunet config check` does not come here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import ConfigError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

ENTRY_POINT_GROUP = "flexunet.models"


def registered_classes() -> dict[str, str]:
    """Names that installed packages register, and the class that each stands for; nothing is imported."""
    return {point.name: point.value for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}


def build_own(config: Config, name: str) -> keras.Model:
    """Import a class by name and let it build its model.

    Args:
        config: The configuration, which the class is given.
        name: `package.module:Class`.

    Returns:
        What its `create_model()` returns.

    Raises:
        ConfigError: if there is no such class, or it does not build a fitting model.
    """
    module_name, _, class_name = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), class_name]):
        raise ConfigError(
            f"[model] model = '{name}': expected 'package.module:Class', as in 'my_models.thin:ThinUNet'."
        )
    with _beside(config):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"[model] model = '{name}': no module '{error.name}'. It is looked for in {config.folder}, "
                "in the working folder and among the installed packages."
            ) from error
        own = getattr(module, class_name, None)
        if not inspect.isclass(own) or not callable(getattr(own, "create_model", None)):
            raise ConfigError(
                f"[model] model = '{name}': {module.__file__} has no class {class_name} with a method "
                "create_model(self) that returns a Keras model."
            )
        model = _instance(own, config).create_model()
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"[model] model = '{name}': create_model() returned {type(model).__name__}; "
            "expected a keras.Model."
        )
    check_shapes(model, config, f"[model] model = '{name}'")
    return model


def _instance(own: type, config: Config) -> Any:
    """An instance, given the configuration where its constructor takes an argument."""
    takes = [
        parameter
        for parameter in inspect.signature(own).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return own(config) if takes else own()


def check_shapes(model: Any, config: Config, label: str) -> None:
    """Refuse a model of one's own that the rest of the system cannot feed or read.

    Args:
        model: The model.
        config: The configuration that it is to serve.
        label: What the message calls it.

    Raises:
        ConfigError: if input or output has not the configured shape; a length of None fits any.
    """
    options = config.model
    size = (options.image_height, options.image_width)
    expected = {"input": (*size, options.image_channels), "output": (*size, options.num_classes)}
    for end, shape in expected.items():
        found = getattr(model, f"{end}_shape", None)
        known = found[1:] if isinstance(found, tuple) and len(found) == 4 else None
        if known and all(length in (None, wanted) for length, wanted in zip(known, shape, strict=True)):
            continue
        raise ConfigError(
            f"{label}: its {end} has the shape {found}; the configuration asks for "
            f"(None, {', '.join(map(str, shape))}), from image_height, image_width and "
            f"{'image_channels' if end == 'input' else 'num_classes'}."
        )


@contextmanager
def _beside(config: Config) -> Iterator[None]:
    """Let modules beside the configuration file be imported, as they are by `python file.py` there."""
    added = [str(config.folder), ""]
    sys.path[:0] = added
    try:
        yield
    finally:
        for path in added:
            if path in sys.path:
                sys.path.remove(path)
