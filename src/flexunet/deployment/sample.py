"""The images that an export is calibrated with and compared on: the validation split, evenly thinned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import split_pairs
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.files.listing import list_images
from flexunet.deployment.parity import ComparedImage, change, dice_per_image_mean, dice_pooled, read_compared
from flexunet.errors import InputError
from flexunet.evaluation.scores.pixels import Counts, confusion_matrix
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_NOISE_IMAGES = 4


@dataclass(frozen=True)
class Sample:
    """Images, and masks where there are some.

    Attributes:
        config: The configuration of the run.
        items: Pairs of the validation split; else images of `[infer]`; else seeds of random images.
        what: What they are, in words.
        why_not: Why the validation split could not be used; empty where it was.
    """

    config: Config
    items: list[Pair] | list[Path] | list[int]
    what: str
    why_not: str = ""

    def read(self, item: Pair | Path | int) -> ComparedImage:
        """An image, and its true mask where there is one."""
        if isinstance(item, Pair):
            return read_compared(self.config, item.image_path, item.mask_path)
        if isinstance(item, Path):
            return read_compared(self.config, item, None)
        model = self.config.model
        shape = (model.image_height, model.image_width, model.image_channels)
        noise = np.random.default_rng(item).integers(0, 256, shape, np.uint8)
        return ComparedImage(f"random image {item}", noise, None)

    def prepare(self, predictor: Predictor, item: Pair | Path | int) -> np.ndarray:
        """An image as the model takes it: float32 `(1, H, W, C)`."""
        return predictor.prepare(self.read(item).image)[np.newaxis]

    def dice_change(
        self, run: Predictor, export: Predictor, items: Iterable[Pair | Path | int], known: dict[Any, Counts]
    ) -> float:
        """The larger change of either Dice of the foreground from the run's model to an export.

        Args:
            run: The run's model.
            export: The exported one.
            items: Images of the sample.
            known: What was counted of the run's model, by image; it is filled as images come.
        """
        classes = max(2, run.classes)
        counts: list[tuple[Counts, Counts]] = []
        for item in items:
            compared = self.read(item)
            if item not in known:
                mask = mask_of(run(compared.image))
                truth = mask if compared.truth is None else compared.truth
                known[item] = confusion_matrix(truth, mask, classes)
            truth = mask_of(run(compared.image)) if compared.truth is None else compared.truth
            counts.append((known[item], confusion_matrix(truth, mask_of(export(compared.image)), classes)))
        before, after = (np.stack(side) for side in zip(*counts, strict=True))
        return max(
            change(dice_per_image_mean(before), dice_per_image_mean(after)),
            change(dice_pooled(before), dice_pooled(after)),
        )


def take_sample(config: Config, limit: int) -> Sample:
    """At most `limit` images, evenly spread over what there is."""
    try:
        return Sample(config, _spread(split_pairs(config, "valid"), limit), "the validation split")
    except InputError as error:
        why_not = str(error)
    try:
        images = list_images(config.input_folder("infer", "images_dir"))
        return Sample(config, _spread(images, limit), "images of [infer] images_dir", why_not)
    except InputError:
        return Sample(config, list(range(_NOISE_IMAGES)), "random images", why_not)


def _spread(items: list[Any], limit: int) -> list[Any]:
    if len(items) <= limit:
        return items
    return [items[index] for index in np.linspace(0, len(items) - 1, limit).round().astype(int)]
