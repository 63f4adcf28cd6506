"""Whether an export saves more time than it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import pairs_or_none
from flexunet.deployment.export import PARITY_IMAGES
from flexunet.inference.predict.predictor import Predictor

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Measured on two cores of an AMD EPYC (benchmarks/RESULTS.md): a conversion takes some seconds and more with
# the weights; OpenVINO then needs 0.6 to 0.8 of the time that Keras takes for images in batches.
_START_S = 5.0
_PARAMETERS_A_SECOND = 5e6
_SHARE_LEFT = 0.7
# What is estimated may be half as much again; an export that gains little is not worth a user's wait.
_MARGIN = 1.5


@dataclass(frozen=True)
class Worth:
    """Seconds with and without an export.

    Attributes:
        keras_s: Of all images in Keras.
        export_s: Of writing the export and comparing it with the run.
        saved_s: Saved on the images.
    """

    keras_s: float
    export_s: float
    saved_s: float

    @property
    def pays(self) -> bool:
        """Whether it saves clearly more than it takes."""
        return self.saved_s > _MARGIN * self.export_s


def time_export(config: Config, images: int) -> Worth:
    """Estimate whether an export to OpenVINO pays, from the time that Keras takes for one image here.

    Args:
        config: The configuration of a trained run.
        images: How many are to be predicted.
    """
    predictor = Predictor.load(config, engine="keras")
    batch = predictor.batch_size
    pixels = np.zeros((batch, predictor.height, predictor.width, predictor.channels), np.float32)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        predictor.forward(list(pixels))
        seconds.append(time.perf_counter() - began)
    each = min(seconds[1:]) / batch  # the first one compiles
    compared = min(len(pairs_or_none(config, "valid") or ()) or PARITY_IMAGES, PARITY_IMAGES)
    weights = predictor.model.count_params() / _PARAMETERS_A_SECOND
    return Worth(
        keras_s=images * each,
        export_s=_START_S + weights + compared * each * (1 + _SHARE_LEFT),
        saved_s=images * each * (1 - _SHARE_LEFT),
    )
