"""Augmentation while training, from the same table of operations as the copies on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.augment.operations import planned
from flexunet.data.augment.steps import Step

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Augment = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def online_augment(config: Config) -> Augment:
    """Make the function that augments a batch as a configuration describes it.

    Each image gets one operation of those that [augmentor] switches on, or none, all equally likely; then one
    of the operation's parameter sets (angles, ratios, centres), all equally likely. Random fields are drawn
    anew for each image. So an image is seen as it is once in (operations + 1) times.

    Args:
        config: [generator] augmentation, [augmentor] and the sections of the operations.

    Returns:
        Function of images `(N, H, W, C)`, masks `(N, H, W)` and a random generator, that returns new arrays
        of the same shapes and types. The generator alone decides what is drawn.

    Raises:
        ConfigError: if a value of an operation is out of range.
    """
    steps = planned(config) if config.generator.augmentation else []
    by_operation: dict[str, list[Step]] = {}
    for step in steps:
        by_operation.setdefault(step.operation.name, []).append(step)
    choices: list[list[Step]] = [[], *by_operation.values()]

    def augment(
        images: np.ndarray, masks: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        images, masks = images.copy(), masks.copy()
        height, width = masks.shape[1:]
        for index in range(len(images)):
            if variants := choices[rng.integers(len(choices))]:
                step = variants[rng.integers(len(variants))].with_seed(int(rng.integers(2**32)))
                change = step.change(height, width)
                images[index], masks[index] = change.image(images[index]), change.mask(masks[index])
        return images, masks

    return augment
