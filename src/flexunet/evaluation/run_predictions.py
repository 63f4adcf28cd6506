"""The predictions of a run, image by image, as scoring and calibration take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import channels_read, image_reader, mask_reader
from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.dataset.instances import read_instances
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.appearance import Appearance, unlike_training
from flexunet.data.images.foreground import breast_share
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.tables.streaming import Prediction, map_bounded
from flexunet.inference.outputs.lesions import clean_mask
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def predictions(
    config: Config, predictor: Predictor, pairs: Sequence[Pair], jobs: int | None
) -> Iterator[Prediction]:
    """Images with truth and probabilities, one after the other; reading runs ahead of the model."""
    masks, reader = mask_reader(config), image_reader(config)
    appearance = Appearance.read(RunFolder.at(config.run_dir).appearance)

    def read(pair: Pair) -> tuple[Pair, np.ndarray, np.ndarray]:
        image = reader.read(pair.image_path, channels_read(config))
        truth = masks.read_like(pair.mask_path, image.shape, pair.image_path)
        return pair, image, truth

    for pair, image, truth in map_bounded(read, pairs, 2 if jobs is None else jobs):
        yield Prediction(
            replace(
                origin_of(pair.image_path, pair.identity),
                unlike_training=unlike_training(image, appearance, predictor.normalised(image)),
            ),
            truth,
            probabilities=predictor(image),
            spacing=pair.identity.spacing,
            image_path=str(pair.image_path),
            breast=breast_share(grey_of(image)),
            numbers=read_instances(pair.mask_path, truth),
        )


def as_written(config: Config, decision: Decision, prediction: Prediction) -> Prediction:
    """A prediction with its mask as `flexunet infer` writes it."""
    if prediction.probabilities is None:
        return prediction
    mask = clean_mask(decision.mask(prediction.probabilities), config.infer, prediction.spacing)
    return prediction._replace(mask=mask)
