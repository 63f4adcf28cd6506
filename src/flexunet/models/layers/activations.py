"""Activation functions by the names that configurations use."""

from __future__ import annotations

from keras import activations

from flexunet.config.nearest import nearest
from flexunet.errors import ConfigError

# Names that change the shape of their input, or that make no sense between two convolutions.
_UNFIT = {"glu", "get", "serialize", "deserialize", "softmax", "log_softmax", "sparsemax"}
_ALIASES = {"leakyrelu": "leaky_relu", "swish": "silu", "hardswish": "hard_silu", "none": "linear"}


def activation_names() -> list[str]:
    """Every activation that `[model] activation` can name, as Keras spells it."""
    return sorted(
        name
        for name in dir(activations)
        if not name.startswith("_") and name not in _UNFIT and callable(getattr(activations, name))
    )


def find_activation(name: str, *, key: str = "activation", also: tuple[str, ...] = ()) -> str:
    """The Keras name of an activation: `ReLU` and `relu` are one, and so are `swish` and `silu`.

    Args:
        name: As the configuration has it.
        key: The key of `[model]` it stands in, for the message.
        also: Further names that this key allows.

    Raises:
        ConfigError: if Keras has no such activation.
    """
    names = sorted({*activation_names(), *also})
    folded = str(name).strip().lower().replace("-", "_")
    folded = _ALIASES.get(folded.replace("_", ""), folded)
    if folded in names:
        return folded
    near = nearest(folded, names, 0.5)
    guess = f" Did you mean '{near}'?" if near else ""
    raise ConfigError(f"[model] {key} = '{name}' is not an activation.{guess} There are: {', '.join(names)}.")
