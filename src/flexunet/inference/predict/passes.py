"""Several predictions of one image and their mean: turned copies, and samples with dropout.

A model that has seen breasts in one orientation answers a little differently for the others; the mean of the
answers, each turned back, is steadier than one, and does not depend on the orientation of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.inference.predict.uncertainty import entropy

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.predict.dropout import DropoutSampler


@dataclass(frozen=True)
class Turn:
    """A flip, left to right, and then quarter turns; on arrays `(n, H, W, C)`."""

    quarters: int
    flipped: bool

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """The arrays, turned."""
        flipped = pixels[:, :, ::-1] if self.flipped else pixels
        return np.ascontiguousarray(np.rot90(flipped, self.quarters, axes=(1, 2)))

    def undo(self, pixels: np.ndarray) -> np.ndarray:
        """The arrays as they were before `apply`."""
        turned = np.rot90(pixels, -self.quarters, axes=(1, 2))
        return turned[:, :, ::-1] if self.flipped else turned


def turns_for(height: int, width: int, most: int | None = None) -> list[Turn]:
    """The eight turns of a square; of any other rectangle the four that keep its size.

    Args:
        height: Rows.
        width: Columns.
        most: Turns at most: as it is, flipped left to right, upside down, both, and then quarter turns.
            None: all.
    """
    quarters = range(4) if height == width else (0, 2)
    turns = [Turn(number, flipped) for flipped in (False, True) for number in quarters]
    if most is None or most >= len(turns):
        return turns
    return sorted(
        turns, key=lambda turn: (turn.quarters % 2, turn.quarters, turn.flipped != (turn.quarters == 2))
    )[:most]


def most_turns(config: Config) -> int | None:
    """How many turns are predicted at most, the image as it is included; None: all that keep its size.

    A model answers worse for an orientation that training never showed, so by itself only those are
    predicted that `[random_transform]` showed.
    """
    if not config.infer.test_time_augmentation:
        return 1
    return config.infer.test_time_passes or config.random_transform.orientations


@dataclass(frozen=True)
class Passes:
    """How often a batch goes through the model, and in which guise.

    Attributes:
        most_turns: Flips and turns at most, the image as it is included; None: all that keep its size.
        samples: Samples with dropout; 0: one prediction without it.
        sampler: Draws them.
        sample_batch: How many of them at a time.
        with_entropy: Whether the mean entropy of the predictions is kept as a last channel.
    """

    most_turns: int | None = 1
    samples: int = 0
    sampler: DropoutSampler | None = None
    sample_batch: int = 1
    with_entropy: bool = False

    def mean(self, call: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
        """Mean of the predictions of a batch.

        Args:
            call: The model, `(n, H, W, C)` to `(n, H, W, classes)`.
            pixels: Float32 `(n, H, W, C)`.

        Returns:
            Float32 `(n, H, W, classes)`, with one channel more where entropy is kept.
        """
        total: Any = 0
        count = 0
        height, width = pixels.shape[1:3]
        for turn in turns_for(height, width, self.most_turns):
            for probabilities in self._predictions(call, turn.apply(pixels)):
                found = turn.undo(probabilities)
                if self.with_entropy:
                    found = np.concatenate([found, entropy(found)[..., np.newaxis]], axis=-1)
                total = total + found
                count += 1
        return np.asarray(total / np.float32(count), np.float32)

    def _predictions(
        self, call: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray
    ) -> Iterator[np.ndarray]:
        if self.sampler is None:
            yield call(pixels)
            return
        # One image after the other, so that what is drawn for it does not depend on those beside it.
        drawn = [
            np.concatenate(list(self.sampler(image, self.samples, self.sample_batch))) for image in pixels
        ]
        yield from np.stack(drawn, axis=1)
