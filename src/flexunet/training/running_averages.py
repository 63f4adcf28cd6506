"""The running averages of batch normalisation: whether they keep up with a run, and their re-estimation.

Source: Wu, Y. and Johnson, J. (2021), Rethinking "Batch" in BatchNorm, arXiv:2105.07576, section 3.
"""

from __future__ import annotations

from typing import Any

import keras

from flexunet.models.keras_private import all_layers
from flexunet.training.processes.distribution import on_devices

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
    momenta = [layer.momentum for layer in _batch_normalizations(model)]
    if not momenta or max(momenta) >= 1:
        return []
    needed = round(_SETTLED / (1 - max(momenta)))
    if steps_per_epoch * epochs >= 2 * needed:
        return []
    return [
        f"batch normalisation keeps running averages with momentum {max(momenta):g}, which need about "
        f"{needed} steps to settle, and this run makes {steps_per_epoch * epochs} ({steps_per_epoch} per "
        "epoch): validation, and with it the best epoch, lags behind training. Set [train] "
        "statistics_batches = 8, or [model] normalization_layer = 'group' if the architecture has it, or "
        "train longer."
    ]


def re_estimate(model: keras.Model, batches: Any, count: int) -> None:
    """Replace the running averages of batch normalisation by plain means over some batches.

    Other weights stay. A model without such layers is left alone. Processes that train together all call
    this, and each batch is that of all of them.

    Args:
        model: The model; changed in place.
        batches: What gives the pairs of images and targets by their index.
        count: Batches that are used, or all where there are fewer.
    """
    layers = _batch_normalizations(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    try:
        for seen in range(min(count, len(batches))):
            for layer in layers:
                # The first batch replaces what stood there; batch n then weighs 1 / n.
                layer.momentum = seen / (seen + 1)
            model(on_devices(batches[seen][0]), training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _batch_normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Those whose averages move."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in all_layers(model) if isinstance(layer, kind) and layer.trainable]
