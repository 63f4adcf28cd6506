"""Find the breast on a raw film: what is tissue, what is air, label or scanner edge.

The film is looked at in small (about 400 pixels high); a breast has no detail that its outline needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flexunet.data.images.regions import fill_holes, find_regions
from flexunet.errors import ImageError

_WORKING_SIZE = 400
_SMALLEST_SHARE = 0.01


@dataclass(frozen=True)
class Breast:
    """Where the breast lies on a film of `width` x `height` pixels.

    Attributes:
        outline: 1 on the breast, uint8, at working size (about 400 pixels on the long side).
        objects: 1 on bright things that are not connected to the breast (labels, bars, strips), same size.
        width: Pixels of the film.
        height: Pixels of the film.
        side: `L` if the chest wall is at the left edge of the breast, `R` if at the right.
        background: Grey value of the air, in the film's own units.
        threshold: Grey value above which the film counts as bright, same units.
    """

    outline: np.ndarray
    objects: np.ndarray
    width: int
    height: int
    side: str
    background: float
    threshold: float

    @property
    def scale(self) -> tuple[float, float]:
        """Film pixels per working pixel, across and down."""
        return self.width / self.outline.shape[1], self.height / self.outline.shape[0]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Bounding box on the film: left, top, width, height in pixels."""
        x, y, width, height = cv2.boundingRect(self.outline)
        across, down = self.scale
        left, top = int(np.floor(x * across)), int(np.floor(y * down))
        right, bottom = int(np.ceil((x + width) * across)), int(np.ceil((y + height) * down))
        return left, top, min(right, self.width) - left, min(bottom, self.height) - top

    @property
    def area(self) -> float:
        """Share of the film that the breast covers."""
        return float(self.outline.mean())

    def zone(self, margin: float) -> np.ndarray:
        """1 on what a crop keeps, at working size: the breast and `margin` around it, without other objects.

        Args:
            margin: Fraction of the longer side of the breast's bounding box.
        """
        reach = margin * max(cv2.boundingRect(self.outline)[2:])
        far = cv2.distanceTransform(1 - self.outline, cv2.DIST_L2, 5)
        return ((far <= reach) & (self.objects == 0)).astype(np.uint8)


def whole_picture(image: np.ndarray) -> Breast:
    """The whole picture as what a crop keeps, for pictures that are no mammograms.

    Args:
        image: uint8 or uint16 `(H, W)` or `(H, W, C)`.
    """
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIZE / max(height, width))
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    return Breast(np.ones(shape, np.uint8), np.zeros(shape, np.uint8), width, height, "L", 0.0, 0.0)


def find_breast(image: np.ndarray) -> Breast:
    """Find the breast: threshold, largest component, smooth.

    Args:
        image: Film, uint8 or uint16 `(H, W)` or `(H, W, C)`, bright tissue on dark air.

    Returns:
        The breast's outline, side and bounding box.

    Raises:
        ImageError: if nothing on the film looks like a breast.

    Source: Otsu, N. (1979), A threshold selection method from gray-level histograms, IEEE Trans. Systems,
        Man, and Cybernetics 9(1), 62-66; applied twice, the second time to what the first calls dark, since
        the breast's rim is much darker than its middle.
    """
    grey = image if image.ndim == 2 else image.max(axis=2)
    height, width = grey.shape
    scale = min(1.0, _WORKING_SIZE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = np.percentile(small, [1, 99.5])
    if high <= low:
        raise ImageError("no breast found: the film is one even grey")
    level = np.clip((small - low) * (255 / (high - low)), 0, 255)
    level = cv2.GaussianBlur(level, (0, 0), 1.2).astype(np.uint8)
    first, _ = cv2.threshold(level, 0, 255, cv2.THRESH_OTSU)
    second, _ = cv2.threshold(level[level <= first].reshape(1, -1), 0, 255, cv2.THRESH_OTSU)
    bright = (level > second).astype(np.uint8)
    radius = max(4, round(max(size) / 80))
    outline = _largest(bright, radius)
    if outline.mean() < _SMALLEST_SHARE:
        raise ImageError(
            f"no breast found: the largest bright area covers {outline.mean():.2%} of the film, "
            f"expected at least {_SMALLEST_SHARE:.0%}"
        )
    objects = _apart(bright, outline, radius)
    air = small[(bright == 0) & (outline == 0)]
    background = float(np.median(air)) if air.size else float(low)
    threshold = float(low + second / 255 * (high - low))
    return Breast(outline, objects, width, height, _chest_side(outline, level), background, threshold)


def _largest(bright: np.ndarray, radius: int) -> np.ndarray:
    """Largest bright area once thin bridges are cut, its holes filled and its outline smoothed."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # The film's border is no edge of the breast: mirror it, so that opening does not round the chest wall.
    # (Replicating it would turn a line of one pixel along the border into a bridge to the labels.)
    pad = 2 * radius + 1
    padded = cv2.copyMakeBorder(bright, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)[pad:-pad, pad:-pad]
    cores = find_regions(opened, connectivity=4)
    if not len(cores):
        return np.zeros_like(bright)
    core = (cores.labels == 1 + cores.largest).astype(np.uint8)
    # Give back the fine parts of the outline that the opening took (the nipple), but no more than its radius.
    whole = cv2.dilate(core, disc) & bright
    filled = fill_holes(whole)
    padded = cv2.copyMakeBorder(filled, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    smooth = cv2.GaussianBlur(padded * np.float32(1), (0, 0), radius / 2)[pad:-pad, pad:-pad] > 0.5
    parts = find_regions(smooth, connectivity=4)
    return (parts.labels == 1 + parts.largest).astype(np.uint8)


def _apart(bright: np.ndarray, outline: np.ndarray, gap: int) -> np.ndarray:
    """Bright areas farther than `gap` from the breast; what is nearer may be a piece of its skin line."""
    regions = find_regions(bright)
    near = cv2.dilate(outline, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1)))
    apart = regions.where(~regions.touching(near > 0))
    return cv2.dilate(apart.view(np.uint8), np.ones((5, 5), np.uint8))


def _chest_side(outline: np.ndarray, level: np.ndarray) -> str:
    """Where the breast is cut off: the side on which it stands upright and stays bright to its very edge."""
    x, y, width, height = cv2.boundingRect(outline)
    inside = (level * outline)[y : y + height, x : x + width]
    strip = max(1, width // 12)
    return "L" if inside[:, :strip].mean() >= inside[:, -strip:].mean() else "R"
