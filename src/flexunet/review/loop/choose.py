"""Which images of a pool a person should review next.

Images are taken in turn for each class of lesion (stratified), by the entropy of the model's prediction in
the pixels where it sees that class. The logarithm of the entropy is noised, less from round to round: early
rounds spread over the pool, later ones take what the model is least sure of.

Source: Lüth et al. (2026), Finally Outshining the Random Baseline: A Simple and Effective Solution for Active
Learning in 3D Biomedical Imaging, https://arxiv.org/abs/2601.13677 (ClaSP PE, there for patches of volumes).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

VISIBLE = 0.05  # probability from which a pixel counts for a class
_FIRST_SHARPNESS, _GROWTH = 1.0, 2.0  # of the schedule: noise is divided by the sharpness of its round
_LEAST = 1e-6  # entropy that an image has at least, so that its logarithm exists


def class_entropies(probabilities: np.ndarray) -> dict[int, float]:
    """Mean entropy (0 to 1) of the pixels in which a model sees a class, for each class above background.

    Args:
        probabilities: Float array `(H, W, classes)`, or `(H, W, 1)` of one class against background.

    Returns:
        By class; 0 where the model sees none of it.
    """
    values = np.asarray(probabilities, np.float64)
    if values.shape[2] == 1:
        values = np.concatenate([1 - values, values], axis=2)
    doubt = -(values * np.log(np.clip(values, 1e-12, 1))).sum(axis=2) / np.log(values.shape[2])
    seen = values >= VISIBLE
    return {
        label: float(doubt[seen[..., label]].mean()) if seen[..., label].any() else 0.0
        for label in range(1, values.shape[2])
    }


def choose(
    entropies: Mapping[str, Mapping[int, float]], count: int, round_number: int, rng: np.random.Generator
) -> list[str]:
    """The images to review, the first class first.

    Args:
        entropies: For each image its `class_entropies`.
        count: How many; fewer where the pool has fewer.
        round_number: Of the loop, from 1: the noise halves with each.
        rng: Draws the noise.

    Returns:
        Names of images, each once.
    """
    names = sorted(entropies)
    sharpness = _FIRST_SHARPNESS * _GROWTH ** (round_number - 1)
    orders = []
    for label in sorted({label for own in entropies.values() for label in own}):
        scores = np.log([max(entropies[name].get(label, 0.0), _LEAST) for name in names])
        noised = scores + rng.gumbel(size=len(names)) / sharpness
        orders.append([names[position] for position in np.argsort(-noised, kind="stable")])
    chosen: dict[str, None] = {}
    while orders and len(chosen) < min(count, len(names)):
        for order in orders:
            name = next((name for name in order if name not in chosen), None)
            if name is not None and len(chosen) < count:
                chosen[name] = None
    return list(chosen)
