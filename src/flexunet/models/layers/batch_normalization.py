"""Batch normalisation whose moving variance is the unbiased one, as in the published system."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="flexunet")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, but its moving variance is fed by the sample variance (divided by count - 1).

    Keras 2 does so, and published models with `normalization = True` were trained with it; Keras 3 divides by
    the count. In the bottleneck of the published 512 x 512 model, 4 x 4 pixels and two images, that is three
    per cent. Training steps and all weights are otherwise the same, and so is inference.

    Source: Ioffe, S. and Szegedy, C. (2015), Batch Normalization, ICML, 448-456, algorithm 2.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise; while training, update the moving statistics."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        kept = self.moving_variance * self.momentum
        outputs = super().call(inputs, training=training, mask=mask)
        # What the update has just added is (1 - momentum) * variance; it lacks one part in count - 1.
        added = self.moving_variance - kept
        shape = ops.shape(inputs)
        count = 1
        for axis in self._reduction_axes:
            count = count * shape[axis]
        spare = ops.maximum(ops.cast(count, added.dtype) - 1.0, 1.0)
        self.moving_variance.assign(self.moving_variance + added / spare)
        return outputs
