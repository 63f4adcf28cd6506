"""Figures of one mask on its image: classes, lesions, place, and contrast against what lies around."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.regions import find_regions

RING = 0.35  # width of the ring around a lesion, relative to the lesion's equivalent diameter
_SLACK = 0.01  # of the picture's side: how far the outline of the breast may be off
_SMALLEST_RING = 3
_SMALLEST_BACKGROUND = 0.01  # of the picture, for there to be a background at all
_MOST = 1024
_NEARLY_ALL = 0.95  # of the picture in one class
_MOST_LESION = 0.5
_DARK = 0.08  # of the way from the black of the background to the brightest tissue


@dataclass(frozen=True)
class MaskMeasures:
    """What a mask is like.

    Attributes:
        class_pixels: Pixels of each class.
        lesion_areas: Area of each connected component of the classes above 0, as a share of the picture.
        between: Share of the pixels whose colour is not exactly one of the map's.
        outside: Share of the foreground that lies outside the breast or on black.
        worst_outside: The same of the component for which it is greatest.
        contrast: Mean grey level inside the lesions less that of a ring around them, in standard deviations
            of the breast; NaN without lesion or ring.
        framed: Whether the picture's edge is marked all round.
    """

    class_pixels: tuple[int, ...]
    lesion_areas: tuple[float, ...]
    between: float
    outside: float
    worst_outside: float
    contrast: float
    framed: bool = False

    @property
    def pixels(self) -> int:
        """Pixels of the mask."""
        return sum(self.class_pixels)

    @property
    def foreground(self) -> float:
        """Share of the pixels that are not background."""
        return 1 - self.class_pixels[0] / max(1, self.pixels)

    @property
    def looks_inverted(self) -> bool:
        """Whether one class covers nearly the whole picture, or half of it and all of the edge."""
        largest = max(self.class_pixels[1:], default=0) / max(1, self.pixels)
        return largest > _NEARLY_ALL or (self.framed and largest > _MOST_LESION)

    @property
    def is_empty(self) -> bool:
        """Whether no pixel is marked."""
        return self.class_pixels[0] == self.pixels


def measure_mask(
    mask: np.ndarray,
    picture: np.ndarray | None,
    color_map: ColorMap,
    grey: np.ndarray,
    breast: np.ndarray,
) -> MaskMeasures:
    """Measure a mask.

    Args:
        mask: Class indices, uint8 `(H, W)`; ignored pixels are taken for background, and marked as nothing.
        picture: The mask's own colours `(H, W, C)`; None if it was stored as an array.
        color_map: Colours of the classes.
        grey: The image, uint8 `(H, W)`.
        breast: Where the image is not black background, boolean `(H, W)`.
    """
    between = _between(picture, color_map, mask)
    if color_map.ignore is not None:
        mask, _ = without_ignored(mask)
    class_pixels = tuple(np.bincount(mask.ravel(), minlength=color_map.num_classes).tolist())
    if not mask.any():
        return MaskMeasures(class_pixels, (), between, 0.0, 0.0, float("nan"))
    framed = bool(mask[0].all() and mask[-1].all() and mask[:, 0].all() and mask[:, -1].all())
    marked, grey, breast = _reduced(mask > 0, grey, breast)
    regions = find_regions(marked)
    areas = regions.areas
    outside = np.bincount(regions.labels[_outside(grey, breast)], minlength=len(regions) + 1)[1:]
    shares = outside / areas
    # A speck of a few pixels beside a lesion is an edge artefact of JPEG, not a misplaced mask.
    large = areas >= 0.05 * areas.max()
    return MaskMeasures(
        class_pixels,
        tuple((areas / marked.size).tolist()),
        between,
        float(outside.sum() / areas.sum()),
        float(shares[large].max()),
        _contrast(grey, marked, breast),
        framed,
    )


def _reduced(
    marked: np.ndarray, grey: np.ndarray, breast: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same, at most _MOST pixels a side: place and contrast need no more."""
    scale = _MOST / max(marked.shape)
    if scale >= 1:
        return marked, grey, breast
    size = round(marked.shape[1] * scale), round(marked.shape[0] * scale)
    # A pixel is marked if any part of it is, so that tiny lesions stay.
    small = cv2.resize(marked.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    outline = cv2.resize(breast.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return small, cv2.resize(grey, size, interpolation=cv2.INTER_AREA), outline


def _between(picture: np.ndarray | None, color_map: ColorMap, mask: np.ndarray) -> float:
    if picture is None or picture.dtype != np.uint8:
        return 0.0
    if picture.shape[2] == 1 and np.array_equal(picture[..., 0], mask):
        return 0.0  # stored as class indices
    return float((color_map.distance(picture) > 0).mean())


def _outside(grey: np.ndarray, breast: np.ndarray) -> np.ndarray:
    """Where there is no breast: off its outline, or as black as the background."""
    background = grey[~breast]
    if background.size < _SMALLEST_BACKGROUND * grey.size:
        return np.zeros(grey.shape, bool)
    slack = max(1, round(_SLACK * max(grey.shape)))
    near = cv2.dilate(breast.astype(np.uint8), np.ones((2 * slack + 1, 2 * slack + 1), np.uint8)) > 0
    # Labels and film edges are background, too, and bright: its median is what is black.
    black = float(np.median(background))
    dark = black + _DARK * (float(np.percentile(grey[breast], 99)) - black)
    return ~near | (cv2.blur(grey, (3, 3)) <= dark)


def _contrast(grey: np.ndarray, marked: np.ndarray, breast: np.ndarray) -> float:
    """Difference between the inside of the marked areas and a ring around them."""
    diameter = np.sqrt(4 * marked.sum() / np.pi)
    width = max(_SMALLEST_RING, round(RING * diameter))
    top, bottom, left, right = _box(marked, width)
    part = marked[top:bottom, left:right]
    far = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5)
    ring = (far > 0) & (far <= width) & breast[top:bottom, left:right]
    levels = grey[top:bottom, left:right].astype(np.float32)
    if ring.sum() < 20:
        return float("nan")
    deviation = float(grey[breast].std()) if breast.any() else float(grey.std())
    return float((levels[part].mean() - levels[ring].mean()) / max(deviation, 1.0))


def _box(marked: np.ndarray, margin: int) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    height, width = marked.shape
    return (
        max(0, int(rows[0]) - margin),
        min(height, int(rows[-1]) + margin + 1),
        max(0, int(columns[0]) - margin),
        min(width, int(columns[-1]) + margin + 1),
    )
