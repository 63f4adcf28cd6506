"""What a model is fed in training and evaluation: batches of a split, as the configuration says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.batches import Batches, Source

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.data.loading import Cache


def training_batches(config: Config, cache: Source) -> Any:
    """Shuffled batches, augmented where `[model] generator` is on.

    With the generator on, an epoch is `[train] steps_per_epoch` batches where the configuration sets it;
    otherwise every image is seen once.
    """
    source = in_color_order(config, cache)
    augment = None
    if config.model.generator:
        from flexunet.data.augment_online import online_augment

        augment = online_augment(config)
        if config.train.steps_per_epoch:
            source = Cycled(source, config.train.steps_per_epoch * config.train.batch_size)
    return Batches(
        source,
        config.train.batch_size,
        config.model.num_classes,
        shuffle=True,
        seed=config.train.seed,
        augment=augment,
        workers=config.train.workers,
    )


def plain_batches(config: Config, cache: Source, batch_size: int | None = None) -> Any:
    """Batches in the order of the names, each image as it is; never augmented, unlike the published ones."""
    return Batches(
        in_color_order(config, cache),
        batch_size or config.train.batch_size,
        config.model.num_classes,
        shuffle=False,
        seed=config.train.seed,
        workers=config.train.workers,
    )


def epoch_part(batches: Any, epoch: int, first: int) -> Any:
    """The batches of one epoch from a step on, as a data set of its own for `fit`.

    Args:
        batches: What `training_batches` gave; its `epoch` is set.
        epoch: Epoch, counted from 0.
        first: Step that comes first, counted from 0.
    """
    batches.epoch = epoch
    return _part_class()(batches, first)


@cache
def _part_class() -> Any:
    import keras

    class EpochPart(keras.utils.PyDataset):
        """See `epoch_part`."""

        def __init__(self, batches: Any, first: int):
            super().__init__(
                workers=batches.workers,
                use_multiprocessing=batches.use_multiprocessing,
                max_queue_size=batches.max_queue_size,
            )
            self.batches = batches
            self.first = first

        def __len__(self) -> int:
            return len(self.batches) - self.first

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return self.batches[self.first + index]

    return EpochPart


def images_of_step(batches: Any, cache: Cache, step: int) -> list[Path]:
    """The image files of a step of the present epoch of `training_batches`."""
    # Whatever stands between the batches and the cache goes round it and reorders nothing.
    return [cache.pairs[place % len(cache.pairs)].image_path for place in batches.indices(step)]


def in_color_order(config: Config, source: Source) -> Source:
    """The images as RGB, or as BGR where `[image] color_order` says that the model takes them so."""
    return BlueFirst(source) if config.image.color_order.upper() == "BGR" else source


class Cycled:
    """A source that goes round and round another one, up to a given length."""

    def __init__(self, source: Source, length: int):
        self.source = source
        self.length = length

    def __len__(self) -> int:
        return self.length

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks; position n is image n modulo the number of images."""
        return self.source.read(np.asarray(indices) % len(self.source))


class BlueFirst:
    """A source whose images have their channels in the order blue, green, red."""

    def __init__(self, source: Source):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images with the channels turned round, and masks as they are."""
        images, masks = self.source.read(indices)
        return images[..., ::-1], masks
