"""Which images a batch holds, where a share of every batch must hold a lesion.

What a batch holds follows from seed, epoch and step alone, so a resumed run goes on with the same images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flexunet.errors import DatasetError

_LESION, _REST = 1, 2  # tell the two orders of one seed apart


@dataclass(frozen=True)
class Draw:
    """What a batch holds.

    Attributes:
        indices: Images, in the order in which they lie on disk; one may come twice.
        with_lesion: Of each, whether a lesion must be in it, where a crop is taken of it; bool, same length.
    """

    indices: np.ndarray
    with_lesion: np.ndarray


class Sampling(Protocol):
    """Which images come in which batch."""

    def __len__(self) -> int:
        """Images an epoch."""

    def draw(self, epoch: int, step: int) -> Draw:
        """What a batch holds; epoch and step count from 0."""


class LesionSampling:
    """A share of every batch holds a lesion.

    Of the first n places of an epoch, `share * n`, rounded up, go to images with a lesion. These come round
    after round, each round in a new order, so that none comes twice before all have come once; the other
    images fill the other places in the same way. Rounds go on over the ends of epochs. So the rarer ones are
    oversampled, and the others undersampled, but each comes.

    Args:
        holds_lesion: Of each image, whether there is a lesion in it; bool array `(images,)`.
        share: Share of the places, above 0 and at most 1.
        batch_size: Images a batch.
        length: Images an epoch.
        seed: Seed of the orders.
        rest: Of each image, whether it may fill the other places; by default those without a lesion may.

    Raises:
        DatasetError: if no image holds a lesion, or nothing may fill the other places.
    """

    def __init__(
        self,
        holds_lesion: np.ndarray,
        share: float,
        batch_size: int,
        length: int,
        seed: int,
        rest: np.ndarray | None = None,
    ):
        self.share = share
        self.batch_size = batch_size
        self.length = length
        self.seed = seed
        self.lesions = np.flatnonzero(holds_lesion)
        self.rest = np.flatnonzero(~holds_lesion if rest is None else rest)
        if not len(self.lesions):
            raise DatasetError(
                f"[train] lesion_share = {share:g} asks for lesions, but none of the {len(holds_lesion)} "
                "training masks has any. Check [mask] rgb_map and [train] masks_dir, or take the key out."
            )
        if not len(self.rest) and self._lesions_before(length) < length:
            raise DatasetError(
                f"[train] lesion_share = {share:g} asks for images without a lesion too, but each of the "
                f"{len(holds_lesion)} training masks has one. Take the key out: every batch holds lesions."
            )

    def __len__(self) -> int:
        return self.length

    def draw(self, epoch: int, step: int) -> Draw:
        """What a batch holds; epoch and step count from 0."""
        first = min(step * self.batch_size, self.length)
        last = min(first + self.batch_size, self.length)
        begin, end, all_of_epoch = (self._lesions_before(place) for place in (first, last, self.length))
        lesions = self._come(self.lesions, _LESION, epoch * all_of_epoch + begin, end - begin)
        others = epoch * (self.length - all_of_epoch) + first - begin
        rest = self._come(self.rest, _REST, others, last - first - len(lesions))
        indices = np.concatenate([lesions, rest])
        with_lesion = np.arange(len(indices)) < len(lesions)
        order = np.argsort(indices, kind="stable")
        return Draw(indices[order], with_lesion[order])

    def _lesions_before(self, place: int) -> int:
        # Rounded first: 0.1 * 30 is a little more than 3 in floating point.
        return math.ceil(round(self.share * place, 6))

    def _come(self, images: np.ndarray, kind: int, first: int, count: int) -> np.ndarray:
        return images[_in_rounds(len(images), first, count, [self.seed, kind])]


class PlainSampling:
    """The images round after round, each round in a new order; lesions as they come.

    An epoch as long as there are images is a round. Rounds go on over the ends of shorter and longer ones, so
    that every image comes.
    """

    def __init__(self, images: int, batch_size: int, length: int, seed: int):
        self.images = images
        self.batch_size = batch_size
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def draw(self, epoch: int, step: int) -> Draw:
        """What a batch holds; epoch and step count from 0."""
        first = min(step * self.batch_size, self.length)
        count = min(self.batch_size, self.length - first)
        indices = np.sort(_in_rounds(self.images, epoch * self.length + first, count, [self.seed]))
        return Draw(indices, np.zeros(len(indices), bool))


def _in_rounds(images: int, first: int, count: int, seeds: list[int]) -> np.ndarray:
    """What comes at places `first` to `first + count` of endless rounds of so many images."""
    places = np.arange(first, first + count)
    rounds = places // max(1, images)
    chosen = np.empty(count, np.int64)
    for turn in np.unique(rounds):
        order = np.random.default_rng([*seeds, int(turn)]).permutation(images)
        here = rounds == turn
        chosen[here] = order[places[here] % images]
    return chosen
