"""Augmentation of `[random_transform]`: all changes of shape in one field, then changes of grey values.

Beside the published operations, of which an image gets one at most. Here each change has a probability of its
own and a strength drawn from a range; those of shape are composed, so that pixels are interpolated once.

Source of the elastic field, random shifts of a few control points between which cubics interpolate:
Ronneberger, O., Fischer, P. and Brox, T. (2015), U-Net, MICCAI, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.data.augment import warps
from flexunet.data.augment.fields import Field
from flexunet.data.augment.grey_changes import GREY_CHANGES, Grey
from flexunet.data.augment.mixing import mix
from flexunet.data.images.pixels import to_model_range

_SEEDS = 2**63


def random_transform(
    chosen: RandomTransformSection,
) -> Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    """Make the function that changes a batch as the section says.

    Args:
        chosen: Probabilities and ranges.

    Returns:
        Function of images `(N, H, W, C)` as stored, masks `(N, H, W)` and a random generator, that returns
        images as float32 from 0 to 255 and masks. The generator alone decides what is drawn. What an image
        gets depends on the others only where it takes a part of one of them.
    """

    def augment(
        images: np.ndarray, masks: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        images, masks = np.array(to_model_range(images)), masks.copy()
        height, width = masks.shape[1:]
        for index, seed in enumerate(rng.integers(_SEEDS, size=len(images)).tolist()):
            change = draw_change(chosen, height, width, np.random.default_rng(seed))
            images[index], masks[index] = change.image(images[index]), change.mask(masks[index])
        return mix(chosen, images, masks, rng)

    return augment


def draw_change(
    chosen: RandomTransformSection, height: int, width: int, rng: np.random.Generator
) -> warps.Chain:
    """Draw the change of one image and its mask.

    Args:
        chosen: Probabilities and ranges.
        height: Rows of the image.
        width: Columns of the image.
        rng: What decides; it is read in the same order whatever the size of the image.

    Returns:
        One warp at most, then the changes of grey values; of images of float32 from 0 to 255.
    """
    changes: list[warps.Change] = []
    field = _draw_field(chosen, height, width, rng)
    if field is not None:
        changes.append(warps.Displace(field, chosen.fill))
    drawn = [(name, value) for name in GREY_CHANGES if (value := _draw(chosen, name, rng)) is not None]
    if drawn:
        changes.append(Grey(drawn, int(rng.integers(_SEEDS))))
    return warps.Chain(changes)


def _draw(chosen: RandomTransformSection, name: str, rng: np.random.Generator) -> float | None:
    """A value of the range of this name, or none, as its probability says."""
    happens = rng.random() < getattr(chosen, f"{name}_probability")
    return float(rng.uniform(*getattr(chosen, name))) if happens else None


def _draw_field(
    chosen: RandomTransformSection, height: int, width: int, rng: np.random.Generator
) -> Field | None:
    """Where each pixel comes from; none, if nothing is moved."""
    angle, scale, shear, elastic = (
        _draw(chosen, name, rng) for name in ("rotation", "scale", "shear", "elastic")
    )
    is_shifted = rng.random() < chosen.shift_probability
    shift = rng.uniform(*chosen.shift, 2) if is_shifted else np.zeros(2)
    mirrored = [kind in _MIRRORED[chosen.flip] and rng.random() < 0.5 for kind in ("x", "y")]
    if angle is scale is shear is elastic is None and not is_shifted and not any(mirrored):
        return None
    turn = np.deg2rad(angle or 0)
    cosine, sine = np.cos(turn), np.sin(turn)
    # From input to output, about the middle; y points down, so the turn is counter-clockwise.
    forward = np.array([[cosine, sine], [-sine, cosine]]) @ [[1, 0], [shear or 0, 1]]
    forward = forward * (scale or 1) @ np.diag([-1 if each else 1 for each in mirrored])
    back = np.linalg.inv(forward)
    middle = np.array([width - 1, height - 1]) / 2
    start = middle - back @ (middle + shift * [width, height])
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    map_x = np.float32(back[0, 0]) * across + (np.float32(back[0, 1]) * down + np.float32(start[0]))
    map_y = np.float32(back[1, 0]) * across + (np.float32(back[1, 1]) * down + np.float32(start[1]))
    if elastic is not None:
        longer = max(height, width)
        # One more point than spans; a shorter side has as many as its length asks for.
        points = [1 + max(1, round(chosen.elastic_spans * side / longer)) for side in (height, width)]
        moved = (elastic * longer * rng.standard_normal((*points, 2))).astype(np.float32)
        for target, along in zip((map_x, map_y), cv2.split(moved), strict=True):
            target += cv2.resize(along, (width, height), interpolation=cv2.INTER_CUBIC)
    return map_x, map_y


_MIRRORED = {"never": "", "horizontal": "x", "both": "xy"}
