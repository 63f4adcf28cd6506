"""Whether the running averages of batch normalisation can keep up with a run."""

from __future__ import annotations

import keras

from flexunet.models.keras_private import all_layers

# After so many of its time constants, a running average has forgotten where it began (to one per cent).
_SETTLED = 5


def lagging_statistics(model: keras.Model, steps_per_epoch: int, epochs: int) -> list[str]:
    """A note where batch normalisation makes validation lag behind training for much of a run.

    Args:
        model: The model.
        steps_per_epoch: Training steps per epoch.
        epochs: Epochs of the run.

    Returns:
        The note, or nothing.
    """
    momenta = [
        layer.momentum
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not momenta or max(momenta) >= 1:
        return []
    needed = round(_SETTLED / (1 - max(momenta)))
    if steps_per_epoch * epochs >= 2 * needed:
        return []
    return [
        f"batch normalisation keeps running averages with momentum {max(momenta):g}, which need about "
        f"{needed} steps to settle, and this run makes {steps_per_epoch * epochs} ({steps_per_epoch} per "
        "epoch): validation, and with it the best epoch, lags behind training. Set [model] "
        "normalization_layer = 'group' if the architecture has it, or train longer."
    ]
