"""Which keys of `[model]` would fit a weights file, for architectures whose layers do not say it plainly.

Some keys stand in the shapes of the file's layers; the others are tried, one model each. It takes seconds,
and is asked only where a file did not fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.errors import InputError, WeightsError
from flexunet.models.registry import build_model, find_architecture, own_class_of
from flexunet.models.weights.file import StoredWeights, open_weights
from flexunet.models.weights.fit import UNKNOWN_ORIGIN, pair_weights
from flexunet.models.weights.transfer import classes_in

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_LEVELS = {"num_layers": range(2, 9)}
_VARIANT = {"variant": ("published", "paper")}
# Keys that are tried, of each architecture, with the values that are.
_TRIED: dict[str, dict[str, Any]] = {
    "attention-unet": _LEVELS | _VARIANT,
    "efficient-unet": {"efficientnet": [f"B{size}" for size in range(8)]},
    "multires-unet": _LEVELS,
    "resenc-unet": _LEVELS,
    "sharp-unet": _VARIANT,
    "u2net": _LEVELS | _VARIANT,
    "unet3plus": {},
    "unetplusplus": _LEVELS,
}
# Keys that shape the layers of the others; too many to be tried.
_SHAPING = {
    "swin-unet": "filter_num_begin, depth, stack_num_down, stack_num_up, patch_size, num_heads, window_size, "
    "num_mlp, image_channels and num_classes",
    "trans-unet": "filter_num, stack_num_down, stack_num_up, embed_dim, num_transformer, num_heads, num_mlp, "
    "batch_norm, pool, image_channels and num_classes",
    "deeplabv3plus": "image_channels and num_classes",
    "efficientnetb7-unet": "image_channels and num_classes",
}


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
    name = find_architecture(config.model.model).name
    if name in _SHAPING:
        return WeightsError(f"{error} The keys of [model] that shape {name} are {_SHAPING[name]}.")
    with open_weights(path) as stored:
        found = fitting_keys(config, stored)
    if not found:
        return WeightsError(f"{error} No {name} that was tried fits: set [model] model to what it came from.")
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
    name = find_architecture(config.model.model).name
    tried = _TRIED[name]
    shown = _keys_in_shapes(name, stored)
    configured = [getattr(config.model, key) for key in tried]
    choices = sorted(
        itertools.product(*tried.values()),
        key=lambda values: sum(one != other for one, other in zip(values, configured, strict=True)),
    )
    for values in choices:
        yield {**shown, **dict(zip(tried, values, strict=True))}


def _keys_in_shapes(name: str, stored: StoredWeights) -> dict[str, Any]:
    """The keys that the shapes of the first and last layers say."""
    convolutions = [layer.shapes[0] for layer in stored.layers if layer.kind == "conv2d"]
    transposed = [layer.shapes[0] for layer in stored.layers if layer.kind == "conv2d_transpose"]
    if not convolutions:
        return {}
    rows, columns, channels, filters = convolutions[0]
    keys: dict[str, Any] = {}
    if channels in (1, 3):
        keys["image_channels"] = channels
    if classes := classes_in(stored.path):
        keys["num_classes"] = classes
    if name == "sharp-unet":
        # Two convolutions a level, and as many levels as there are steps up.
        widths = [shape[-1] for shape in convolutions[: 2 * len(transposed) + 2 : 2]]
        return keys | {"filters": widths[:-1], "max_filter": widths[-1], "base_ksize": (rows, columns)}
    if name == "multires-unet":
        # Its convolutions have parts of the filters; the last step up has them all.
        return keys | {"base_filters": transposed[-1][2]} if transposed else keys
    return keys if name == "efficient-unet" else keys | {"base_filters": filters}
