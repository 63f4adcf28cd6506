"""Which keys of `[model]` would fit a weights file, for architectures whose layers do not say it plainly.

Some keys stand in the shapes of the file's layers; the others are tried, one model each. It takes seconds,
and is asked only where a file did not fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.architectures import Architecture, find_architecture
from flexunet.errors import InputError, WeightsError
from flexunet.models.registry import build_model, module_of, own_class_of
from flexunet.models.weights.file import StoredWeights, open_weights
from flexunet.models.weights.fit import UNKNOWN_ORIGIN, pair_weights
from flexunet.models.weights.transfer import classes_in

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Keys of which weights show nothing: where they come from, and what has no weights of its own.
_TRACELESS = frozenset(
    {"weights", "activation", "leaky_slope", "mlp_activation", "final_activation", "shift_window"}
)


def with_fitting_keys(error: WeightsError, config: Config, path: Path) -> WeightsError:
    """An error of a file that does not fit, with the keys that would fit it.

    Args:
        error: What `load_weights` said.
        config: The configuration that the model was built from.
        path: The weights file.

    Returns:
        The error as it was where its message names the keys already, or the model is a class of one's own.
    """
    if not str(error).endswith(UNKNOWN_ORIGIN) or own_class_of(config.model.model):
        return error
    row = find_architecture(config.model.model)
    if row.tried is None:
        shaping = [key for key in row.keys if key not in _TRACELESS]
        keys = ", ".join([*shaping, "image_channels"]) + " and num_classes"
        return WeightsError(f"{error} The keys of [model] that shape {row.name} are {keys}.")
    with open_weights(path) as stored:
        found = fitting_keys(config, stored)
    if not found:
        remedy = "set [model] model to what it came from"
        return WeightsError(f"{error} No {row.name} that was tried fits: {remedy}.")
    wanted, current = (
        ", ".join(f"{key} = {value!r}" for key, value in keys.items())
        for keys in (found, {key: getattr(config.model, key) for key in found})
    )
    difference = str(error).removesuffix(UNKNOWN_ORIGIN)
    return WeightsError(f"{difference} To use this file set [model] {wanted} (configured: {current}).")


def fitting_keys(config: Config, stored: StoredWeights) -> dict[str, Any] | None:
    """The keys to change, so that the configured architecture has the layers of a file.

    Args:
        config: The configuration as it is.
        stored: What the file holds.

    Returns:
        Key to value, those that differ from the configuration; none where nothing that was tried fits.
    """
    for keys in _candidates(config, stored):
        changed = config.model_copy(deep=True)
        for key, value in keys.items():
            setattr(changed.model, key, value)
        # Sizes do not show in weights; this one can be halved as often as any candidate wants.
        changed.model.image_width = changed.model.image_height = 512
        try:
            pair_weights(build_model(changed, policy="float32"), stored)
        except InputError:
            continue
        return {key: value for key, value in keys.items() if getattr(config.model, key) != value}
    return None


def _candidates(config: Config, stored: StoredWeights) -> Iterator[dict[str, Any]]:
    """Keys to try: those that the shapes say, with each combination of the others, the configured first."""
    row = find_architecture(config.model.model)
    tried = row.tried or {}
    shown = _keys_in_shapes(row, stored)
    configured = [getattr(config.model, key) for key in tried]
    choices = sorted(
        itertools.product(*tried.values()),
        key=lambda values: sum(one != other for one, other in zip(values, configured, strict=True)),
    )
    for values in choices:
        yield {**shown, **dict(zip(tried, values, strict=True))}


def _keys_in_shapes(row: Architecture, stored: StoredWeights) -> dict[str, Any]:
    """The keys that the shapes of the first and last layers say."""
    convolutions = [layer.shapes[0] for layer in stored.layers if layer.kind == "conv2d"]
    transposed = [layer.shapes[0] for layer in stored.layers if layer.kind == "conv2d_transpose"]
    if not convolutions:
        return {}
    _, _, channels, filters = convolutions[0]
    keys: dict[str, Any] = {}
    if channels in (1, 3):
        keys["image_channels"] = channels
    if classes := classes_in(stored.path):
        keys["num_classes"] = classes
    if own := getattr(module_of(row), "keys_in_shapes", None):
        return keys | own(convolutions, transposed)
    return keys | ({"base_filters": filters} if "base_filters" in row.keys else {})
