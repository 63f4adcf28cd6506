"""What `[random_transform]` takes from another image of the batch: a box (CutMix), or a lesion.

Sources: Yun, S. et al. (2019), CutMix, ICCV; Ghiasi, G. et al. (2021), Simple Copy-Paste is a Strong Data
Augmentation Method for Instance Segmentation, CVPR. Ours adds what a lesion has more than its surroundings,
instead of replacing pixels: on a film, the shadows of what lies over each other add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.data.images.color_map import IGNORED

_ATTEMPTS = 20
_ON_BREAST = 0.9  # of the pixels of a lesion that is put somewhere
_SOFT = 1.0  # width of the edge of a pasted lesion, pixels
_RING = 7  # pixels around a lesion that tell its surroundings
_WHITE = 255


@dataclass(frozen=True)
class Box:
    """A box of another image and its mask, in the same place.

    Attributes:
        rows, columns: Where.
        other: Image `(H, W, C)` that it is taken from.
        other_mask: Its mask `(H, W)`.
    """

    rows: slice
    columns: slice
    other: np.ndarray
    other_mask: np.ndarray

    def image(self, image: np.ndarray) -> np.ndarray:
        """The image with the box of the other one."""
        return self._replaced(image, self.other)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask with the box of the other one."""
        return self._replaced(mask, self.other_mask)

    def _replaced(self, pixels: np.ndarray, other: np.ndarray) -> np.ndarray:
        changed = pixels.copy()
        changed[self.rows, self.columns] = other[self.rows, self.columns]
        return changed


@dataclass(frozen=True)
class Lesion:
    """A lesion of another image, laid over this one.

    Attributes:
        top, left: Where its box goes.
        excess: What it adds to the grey values of its box, float32 `(h, w, C)`.
        classes: Class of each of its pixels, 0 beside it; `(h, w)`.
    """

    top: int
    left: int
    excess: np.ndarray
    classes: np.ndarray

    def image(self, image: np.ndarray) -> np.ndarray:
        """The image with the lesion, kept between black and white."""
        changed = image.copy()
        box = changed[self._window()]
        box[:] = np.clip(box + self.excess, 0, _WHITE)
        return changed

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask with the lesion."""
        changed = mask.copy()
        box = changed[self._window()]
        box[self.classes > 0] = self.classes[self.classes > 0]
        return changed

    def _window(self) -> tuple[slice, slice]:
        height, width = self.classes.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def mix(
    chosen: RandomTransformSection, images: np.ndarray, masks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give images lesions and boxes of others of the batch, as the section says.

    Args:
        chosen: Probabilities and ranges.
        images: float32 from 0 to 255, `(N, H, W, C)`.
        masks: `(N, H, W)`.
        rng: What decides.

    Returns:
        New images and masks, or where nothing is mixed those that were given. What is taken is taken from the
        images as they were given.
    """
    if len(images) < 2 or not (chosen.lesion_paste_probability or chosen.cutmix_probability):
        return images, masks
    mixed, mixed_masks = images.copy(), masks.copy()
    for index in range(len(images)):
        others = [other for other in range(len(images)) if other != index]
        if rng.random() < chosen.lesion_paste_probability:
            donors = [other for other in others if _marked(masks[other]).any()]
            lesion = _draw_lesion(chosen, images, masks, donors, index, rng) if donors else None
            if lesion:
                mixed[index], mixed_masks[index] = lesion.image(mixed[index]), lesion.mask(mixed_masks[index])
        if rng.random() < chosen.cutmix_probability:
            other = others[rng.integers(len(others))]
            box = _draw_box(chosen, images[other], masks[other], rng)
            mixed[index], mixed_masks[index] = box.image(mixed[index]), box.mask(mixed_masks[index])
    return mixed, mixed_masks


def _draw_box(
    chosen: RandomTransformSection, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> Box:
    """A box of the image's own shape, anywhere in it."""
    side = np.sqrt(rng.uniform(*chosen.cutmix))
    height, width = (max(1, round(float(side * length))) for length in mask.shape)
    top, left = rng.integers(mask.shape[0] - height + 1), rng.integers(mask.shape[1] - width + 1)
    return Box(slice(top, top + height), slice(left, left + width), image, mask)


def _draw_lesion(
    chosen: RandomTransformSection,
    images: np.ndarray,
    masks: np.ndarray,
    donors: list[int],
    target: int,
    rng: np.random.Generator,
) -> Lesion | None:
    """A lesion of one of the donors, at a place on the breast that holds none; none, if no place is found."""
    donor = donors[rng.integers(len(donors))]
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(_marked(masks[donor]).astype(np.uint8))
    label = int(rng.integers(1, count))
    factor = np.float32(rng.uniform(*chosen.lesion_paste))
    left, top, width, height = boxes[label][:4].tolist()
    # With its ring, as far as the image goes.
    rows = slice(max(0, top - _RING), top + height + _RING)
    columns = slice(max(0, left - _RING), left + width + _RING)
    inside = labels[rows, columns] == label
    grey = images[donor][rows, columns]
    ring = cv2.dilate(inside.astype(np.uint8), np.ones((2 * _RING + 1,) * 2)) > 0
    ring &= masks[donor][rows, columns] == 0
    if not ring.any():
        return None
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), _SOFT)[..., np.newaxis]
    excess = factor * soft * (grey - grey[ring].mean(axis=0))
    classes = np.where(inside, masks[donor][rows, columns], 0).astype(np.uint8)
    breast = _breast(images[target]) & (masks[target] == 0)
    middles = np.argwhere(breast)
    for _ in range(_ATTEMPTS if len(middles) else 0):
        middle = middles[rng.integers(len(middles))]
        place = np.clip(middle - np.array(inside.shape) // 2, 0, np.array(breast.shape) - inside.shape)
        top, left = place.tolist()
        window = slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1])
        if breast[window][inside].mean() >= _ON_BREAST and not masks[target][window][inside].any():
            return Lesion(top, left, excess, classes)
    return None


def _marked(mask: np.ndarray) -> np.ndarray:
    """Pixels of lesions: those of a class above 0 that are not ignored; bool `(H, W)`."""
    return (mask > 0) & (mask != IGNORED)


def _breast(image: np.ndarray) -> np.ndarray:
    """Where an image is bright, by Otsu's threshold of its first channel; bool `(H, W)`."""
    grey = np.clip(image[..., 0], 0, _WHITE).astype(np.uint8)
    return cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0
