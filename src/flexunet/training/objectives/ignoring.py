"""Ignored pixels (`[mask] ignore`): their truth is -1 in every channel, and they count nowhere."""

from __future__ import annotations

from typing import Any

from keras import ops

from flexunet.errors import ConfigError
from flexunet.training.objectives.rows import IGNORING, LOSSES, METRICS, Loss, Metric
from flexunet.training.objectives.tensors import without_ignored


def require_ignoring(row: Loss | Metric, key: str) -> None:
    """Refuse a loss or metric that ignored pixels cannot be left out of.

    Raises:
        ConfigError: naming those that there are.
    """
    if row.ignored in (IGNORING if isinstance(row, Loss) else IGNORING[:2]):
        return
    able: dict[str, Loss | Metric] = {**LOSSES} if isinstance(row, Loss) else {**LOSSES, **METRICS}
    known = sorted(name for name, one in able.items() if one.ignored in IGNORING[:2])
    raise ConfigError(
        f"{key}: '{row.name}' cannot leave out the pixels of [mask] ignore. Choose of {', '.join(known)}, "
        "or take [mask] ignore out."
    )


def counted_pixels(y_true: Any) -> Any:
    """1 at the pixels that count, 0 at the ignored ones, whose truth is -1; float32 `(N, H, W)`."""
    return ops.cast(y_true[..., 0] >= 0, "float32")


def arguments(
    row: Loss | Metric, y_true: Any, y_pred: Any, counted: Any
) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """Truth, probabilities and settings that leave the pixels that do not count out of a loss or metric."""
    if counted is None:
        return (y_true, y_pred), {}
    if row.ignored == "zeroed":
        return without_ignored(y_true, y_pred, counted), {}
    # The prediction stays as it is, for Keras keeps the logits beside it.
    return (ops.maximum(y_true, 0), y_pred), {"counted": counted} if row.ignored == "counted" else {}
