"""The running averages of batch normalisation: whether they keep up with a run, and their re-estimation.

Source: Wu, Y. and Johnson, J. (2021), Rethinking "Batch" in BatchNorm, arXiv:2105.07576, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from flexunet.config.run_sections import TrainSection
from flexunet.models.keras_private import all_layers
from flexunet.training.processes.distribution import on_devices

# After so many of its time constants, a running average has forgotten where it began (to one per cent).
_SETTLED = 5
_CHOSEN = 20  # batches; with four images in each, the means of 80


def batches_for_statistics(
    model: keras.Model, steps_per_epoch: int, settings: TrainSection
) -> tuple[int, list[str]]:
    """Over how many training batches batch normalisation is re-estimated before validation.

    Running averages are too late in a run of few steps, and they are never those of averaged weights.

    Args:
        model: The model.
        steps_per_epoch: Training steps per epoch.
        settings: `[train]`: its epochs, whether weights are averaged, and `statistics_batches`, or none for
            as many as are needed.

    Returns:
        The number, 0 for running averages, and a note where it was chosen or where they lag behind.
    """
    wanted = settings.statistics_batches
    momenta = [layer.momentum for layer in _batch_normalizations(model)]
    if not momenta or wanted:
        return wanted or 0, []
    steps = steps_per_epoch * settings.epochs
    needed = round(_SETTLED / (1 - max(momenta))) if max(momenta) < 1 else 0
    if steps < 2 * needed:
        reason = (
            f"its running averages, with momentum {max(momenta):g}, need about {needed} steps to settle, and "
            f"this run makes {steps} ({steps_per_epoch} per epoch)"
        )
        longer = ", or train longer"
    elif settings.ema_momentum:
        reason = "its running averages are those of the weights, and their average is validated"
        longer = ""
    else:
        return 0, []
    if wanted is None:
        return _CHOSEN, [
            f"batch normalisation is re-estimated over {_CHOSEN} training batches before each validation: "
            f"{reason}. [train] statistics_batches sets another number, 0 for running averages."
        ]
    return 0, [
        f"batch normalisation: {reason}, so that validation, and with it the best epoch, lags behind "
        f"training. Set [train] statistics_batches = {_CHOSEN}, or [model] normalization_layer = 'group' if "
        f"the architecture has it{longer}."
    ]


class ReEstimation:
    """Replaces the running averages of batch normalisation by plain means over some batches.

    Other weights stay. A model without such layers is left alone. Processes that train together all call
    this, and each batch is that of all of them.

    Args:
        model: The model; changed in place.
        batches: What gives the pairs of images and targets by their index.
        count: Batches that are used, or all where there are fewer.
    """

    def __init__(self, model: keras.Model, batches: Any, count: int):
        self.layers = _batch_normalizations(model)
        self.batches = batches
        self.count = count
        self.see = _without_gradients(model)

    def __call__(self) -> None:
        """Do so now."""
        averages = [each for layer in self.layers for each in (layer.moving_mean, layer.moving_variance)]
        momenta = [layer.momentum for layer in self.layers]
        used = min(self.count, len(self.batches))
        if not (averages and used):
            return
        sums: list[Any] = [0.0] * len(averages)
        try:
            for layer in self.layers:
                layer.momentum = 0.0  # the averages are then those of the last batch
            for seen in range(used):
                self.see(on_devices(self.batches[seen][0]))
                sums = [
                    total + keras.ops.convert_to_tensor(each)
                    for total, each in zip(sums, averages, strict=True)
                ]
        finally:
            for layer, momentum in zip(self.layers, momenta, strict=True):
                layer.momentum = momentum
        for each, total in zip(averages, sums, strict=True):
            each.assign(total / used)


def _without_gradients(model: keras.Model) -> Callable[[Any], Any]:
    """A training step's way forward, of which nothing stays but what layers keep for themselves."""
    engine = keras.config.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda images: model(images, training=True))  # a quarter of the time, if small
    if engine == "torch":
        import torch

        return torch.no_grad()(lambda images: model(images, training=True))
    return lambda images: model(images, training=True)


def _batch_normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Those whose averages move."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in all_layers(model) if isinstance(layer, kind) and layer.trainable]
