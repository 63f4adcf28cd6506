"""Batches for training, from a cache: the same for one seed and epoch, whatever the number of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.pixels import to_model_range
from flexunet.errors import ConfigError, ShapeError
from flexunet.training.batches.cells import cells_of
from flexunet.training.batches.sampling import Draw, Sampling

_CROPS = 1
Augment = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class Source(Protocol):
    """What batches are read from: `loading.Cache`, or anything with a length and rows to read."""

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images `(n, H, W, C)` and masks `(n, H, W)`."""


class CropSource(Protocol):
    """What random crops are read from: `crops.RandomCrops`."""

    def __len__(self) -> int: ...

    def read_drawn(self, draw: Draw, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A crop of each image drawn, as the generator says: `(n, H, W, C)` and `(n, H, W)`."""


@dataclass(frozen=True)
class Part:
    """Which rows of each batch are prepared here, where several processes train one model.

    Attributes:
        place: This process, counted from 0.
        processes: How many there are.
        devices: How many devices they have between them.
    """

    place: int = 0
    processes: int = 1
    devices: int = 1

    def rows(self, count: int) -> slice | None:
        """The rows of a batch of `count` images; none if it does not divide: then every process takes all."""
        if count % self.devices:
            return None
        share = count // self.processes
        return slice(self.place * share, (self.place + 1) * share)


def encode_targets(masks: np.ndarray, num_classes: int) -> np.ndarray:
    """One-hot targets of class indices.

    Args:
        masks: Class indices, uint8 array `(N, H, W)`.
        num_classes: Channels of the model's output; 1 for one sigmoid channel.

    Returns:
        float32 array `(N, H, W, num_classes)`; with one class, 1 where the index is not 0. Ignored pixels are
        -1 in every channel.

    Raises:
        ShapeError: if an index has no channel.
    """
    highest = int(masks.max(initial=0))
    if highest == IGNORED and num_classes < IGNORED + 1:
        ignored = masks == IGNORED
        targets = encode_targets(np.where(ignored, np.uint8(0), masks), num_classes)
        targets[ignored] = -1
        return targets
    if highest >= max(num_classes, 2):
        raise ShapeError(
            f"the masks hold class {highest}, the model has {num_classes} classes. "
            "Make [model] num_classes and [mask] rgb_map agree."
        )
    if num_classes == 1:
        return (masks > 0)[..., None].astype(np.float32)
    return np.eye(num_classes, dtype=np.float32).take(masks, axis=0)


class Batches(keras.utils.PyDataset):
    """Batches of a cache, pairs of float32: images `(n, H, W, C)` of 0..255, targets `(n, H, W, classes)`.

    Give it to `fit` with `shuffle=False`: the order is shuffled here, from the seed; what Keras would do
    on top of it depends on the state of Python's `random`.

    Args:
        cache: Images and masks.
        batch_size: Images a batch; the last one may have fewer.
        num_classes: Channels of the model's output.
        shuffle: A new order each epoch.
        sampling: Which images come when, in place of every image once; `shuffle` then counts for nothing.
        crops: Whether `cache` is a source of random crops; they need a `sampling`.
        seed: Order and augmentation follow from (seed, epoch, index of the batch) alone.
        augment: Called with images `(n, H, W, C)` as stored (uint8, uint16), masks `(n, H, W)` and a random
            generator; returns both. Images may come back as float32 from 0 to 255.
        cells: Whether the cells of components follow the classes in the targets (`cells.cells_of`).
        workers: Threads that prepare batches while the model trains.
        part: The rows of each batch that this process prepares; all of them, if not given. A batch that does
            not divide comes with one more axis in front, of length 1, to be told from a part of one.

    Attributes:
        epoch: Number of the present epoch, 0 at first; may be set, to go on with an earlier run.

    Raises:
        ConfigError: if the batch size is less than 1.
    """

    def __init__(
        self,
        cache: Any,
        batch_size: int,
        num_classes: int,
        *,
        shuffle: bool,
        seed: int,
        sampling: Sampling | None = None,
        crops: bool = False,
        augment: Augment | None = None,
        cells: bool = False,
        workers: int = 2,
        part: Part | None = None,
    ):
        if batch_size < 1:
            raise ConfigError(f"[train] batch_size must be at least 1, not {batch_size}.")
        # Few batches wait in the queue: a batch of full-size images takes tens of megabytes.
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=max(2, workers))
        self.cache = cache
        self.batch_size = batch_size
        self.num_classes = num_classes
        self.shuffle = shuffle
        self.seed = seed
        self.sampling = sampling
        self.crops = crops
        self.augment = augment
        self.cells = cells
        self.part = part or Part()
        self.epoch = 0
        self._begun = False

    def __len__(self) -> int:
        images = len(self.cache) if self.sampling is None else len(self.sampling)
        return -(-images // self.batch_size)

    def indices(self, index: int) -> np.ndarray:
        """Which images are in a batch of the present epoch, in the order in which they lie on disk."""
        if self.sampling is not None:
            return self.sampling.draw(self.epoch, index).indices
        order: Sequence[int] | np.ndarray = np.arange(len(self.cache))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.cache))
        return np.sort(order[index * self.batch_size : (index + 1) * self.batch_size])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.indices(index))
        rows = self.part.rows(count)
        taken = rows or slice(None)
        if self.augment is None:
            images, masks = self._read(index, taken)
        else:
            # What an image gets depends on the draws for those before it, here as in a single process.
            images, masks = self._read(index, slice(None))
            generator = np.random.default_rng([self.seed, self.epoch, index])
            images, masks = self.augment(images, masks, generator)
            images, masks = images[taken], masks[taken]
        targets = encode_targets(masks, self.num_classes)
        if self.cells:
            targets = np.concatenate([targets, cells_of(masks, self.num_classes)], axis=-1)
        batch = to_model_range(images), targets
        return batch if rows else (batch[0][np.newaxis], batch[1][np.newaxis])

    def _read(self, index: int, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        if self.sampling is None or not self.crops:
            return self.cache.read(self.indices(index)[rows])
        # Another generator than that of the augmentation, whose draws do not depend on crops.
        generator = np.random.default_rng([self.seed, self.epoch, index, _CROPS])
        images, masks = self.cache.read_drawn(self.sampling.draw(self.epoch, index), generator)
        return images[rows], masks[rows]

    def on_epoch_begin(self) -> None:
        """Note that an epoch has begun."""
        self._begun = True

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, after one that began."""
        # Keras also calls this before the first epoch. And it starts the workers before it calls
        # on_epoch_begin, so the epoch must count up here, when they stand still.
        if self._begun:
            self.epoch += 1
        self._begun = False
