"""The predictions of a run, image by image, as scoring and calibration take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import mask_reader
from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.copies.foreground import breast_share
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.files import read_image
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.tables.streaming import Prediction, map_bounded
from flexunet.inference.predict.predictor import Predictor

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def predictions(
    config: Config, predictor: Predictor, pairs: Sequence[Pair], jobs: int | None
) -> Iterator[Prediction]:
    """Images with truth and probabilities, one after the other; reading runs ahead of the model."""
    masks = mask_reader(config)

    def read(pair: Pair) -> tuple[Pair, np.ndarray, np.ndarray]:
        image = read_image(pair.image_path, 3, dicom_window=config.image.dicom_window)
        truth = masks.read_like(pair.mask_path, image.shape, pair.image_path)
        return pair, image, truth

    for pair, image, truth in map_bounded(read, pairs, 2 if jobs is None else jobs):
        yield Prediction(
            origin_of(pair.image_path, pair.identity),
            truth,
            probabilities=predictor(image),
            spacing=pair.identity.spacing,
            image_path=str(pair.image_path),
            breast=breast_share(grey_of(image)),
        )
