"""What a model is fed in training and evaluation: batches of a split, as the configuration says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from flexunet.training.batches.crops import FixedCrops, RandomCrops, Tiles
from flexunet.training.batches.dataset import Augment, Batches, Part, Source
from flexunet.training.batches.sampling import Draw, LesionSampling, PlainSampling, Sampling

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.data.cache.open import Cache
    from flexunet.data.cache.own_size import OwnSizeCache


def training_batches(
    config: Config, cache: Cache | OwnSizeCache, part: Part | None = None, *, cells: bool = False
) -> Batches:
    """Shuffled batches: crops where `[train] crop` is on, augmented where the configuration says so.

    With either of them, or a `lesion_share`, an epoch is `[train] steps_per_epoch` batches where the
    configuration sets it; otherwise as many images are seen as there are. Here and below, `cells` says
    whether the loss takes the cells of components.

    Raises:
        DatasetError: if the images cannot give the share of lesions that is asked for.
    """
    return Batches(
        in_color_order(config, _crops(config, RandomCrops, cache)),
        config.train.batch_size,
        config.model.num_classes,
        shuffle=True,
        seed=config.train.seed,
        sampling=training_sampling(config, cache),
        crops=config.train.crop != "none",
        augment=_augmentation(config),
        cells=cells,
        workers=config.train.workers,
        part=part,
    )


def training_sampling(config: Config, cache: Cache | OwnSizeCache) -> Sampling | None:
    """Which images come in which batch; none where each comes once an epoch.

    Raises:
        DatasetError: as `training_batches`.
    """
    train, cropped = config.train, config.train.crop != "none"
    if not (config.model.generator or config.random_transform.enabled or cropped or train.lesion_share):
        return None
    length = train.steps_per_epoch * train.batch_size if train.steps_per_epoch else len(cache)
    if not train.lesion_share:
        return PlainSampling(len(cache), train.batch_size, length, train.seed)
    # Most crops from anywhere hold no lesion, whatever image they are of.
    rest = np.ones(len(cache), bool) if cropped else None
    return LesionSampling(cache.holds_lesion, train.lesion_share, train.batch_size, length, train.seed, rest)


def _augmentation(config: Config) -> Augment | None:
    """What changes the images of a batch; the published operations, or the composed ones, or nothing."""
    if config.random_transform.enabled:
        from flexunet.data.augment.random_transform import random_transform

        return random_transform(config.random_transform)
    if config.model.generator:
        from flexunet.data.augment.online import online_augment

        return online_augment(config)
    return None


def validation_batches(
    config: Config, cache: Cache | OwnSizeCache, part: Part | None = None, *, cells: bool = False
) -> Batches:
    """The same batches after every epoch: all images, or where crops are trained two crops of each."""
    seed = config.train.seed
    crops = _crops(config, partial(FixedCrops, seed=seed), cache)
    return _plain(config, crops, config.train.batch_size, part, cells)


def evaluation_batches(
    config: Config, cache: Cache | OwnSizeCache, batch_size: int | None = None, *, cells: bool = False
) -> Batches:
    """All images in the order of their names, or where crops were trained all their tiles; as they are."""
    return _plain(config, all_pixels(config, cache), batch_size or config.train.batch_size, cells=cells)


def all_pixels(config: Config, cache: Cache | OwnSizeCache) -> Source:
    """Whole images, or where crops were trained the tiles that cover them."""
    return _crops(config, Tiles, cache)


def _plain(
    config: Config, source: Source, batch_size: int, part: Part | None = None, cells: bool = False
) -> Batches:
    return Batches(
        in_color_order(config, source),
        batch_size,
        config.model.num_classes,
        shuffle=False,
        seed=config.train.seed,
        cells=cells,
        workers=config.train.workers,
        part=part,
    )


def _crops(config: Config, kind: Callable[..., Any], cache: Any) -> Any:
    """A cache as a source: windows of the model's size in it, or the images themselves."""
    if config.train.crop == "none":
        return cache
    return kind(cache, config.model.image_height, config.model.image_width)


def epoch_part(batches: Batches, epoch: int, first: int) -> EpochPart:
    """The batches of one epoch from a step on, as a data set of its own for `fit`.

    Args:
        batches: What `training_batches` gave; its `epoch` is set.
        epoch: Epoch, counted from 0.
        first: Step that comes first, counted from 0.
    """
    batches.epoch = epoch
    return EpochPart(batches, first)


class EpochPart(keras.utils.PyDataset):
    """See `epoch_part`."""

    def __init__(self, batches: Batches, first: int):
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


def images_of_step(batches: Batches, cache: Cache | OwnSizeCache, step: int) -> list[Path]:
    """The image files of a step of the present epoch of `training_batches`."""
    # Whatever stands between the batches and the cache reorders nothing.
    return [cache.pairs[place].image_path for place in batches.indices(step)]


def in_color_order(config: Config, source: Any) -> Any:
    """The images as RGB, or as BGR where `[image] color_order` says that the model takes them so."""
    return BlueFirst(source) if config.image.color_order.upper() == "BGR" else source


class BlueFirst:
    """A source whose images have their channels in the order blue, green, red."""

    def __init__(self, source: Any):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images with the channels turned round, and masks as they are."""
        images, masks = self.source.read(indices)
        return images[..., ::-1], masks

    def read_drawn(self, draw: Draw, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The same of crops."""
        images, masks = self.source.read_drawn(draw, generator)
        return images[..., ::-1], masks
