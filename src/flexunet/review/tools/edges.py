"""Live wire and region growing: what follows the grey levels of an image.

Both look at a part of the image alone, and at a reduced one where that part is large, so that an answer takes
a fraction of a second on one processor.
"""

from __future__ import annotations

import math
import warnings

import cv2
import numpy as np

from flexunet.errors import ShapeError
from flexunet.review.readings.runs import Box

_WIRE_MARGIN = 48  # pixels around both ends in which the line may run
_WIRE_SIDE = 768  # of the part that the line is searched in, after reduction
_GROW_SIDE = 256
# Beta of the random walker: how hard a difference of grey levels is to cross. One small seed against a whole
# frame needs more than the library's 130, at which a disc is found to a quarter.
_STIFFNESS = 2000.0
_SEED = 2  # pixels around the click that are taken for the region

Point = tuple[int, int]


def live_wire(plane: np.ndarray, start: Point, end: Point) -> list[Point]:
    """The line from one point to another that follows edges best: intelligent scissors.

    Args:
        plane: Grey levels, uint16 `(H, W)`.
        start: Column and row where the line begins.
        end: Column and row where it ends.

    Returns:
        Columns and rows of its points, both ends included.

    Raises:
        ShapeError: if a point is outside the image.

    Source: Mortensen, E. N. and Barrett, W. A. (1995), Intelligent Scissors for Image Composition, SIGGRAPH,
    as OpenCV has it (`segmentation.IntelligentScissorsMB`).
    """
    for point in (start, end):
        Box(*point, 1, 1).check((plane.shape[0], plane.shape[1]))
    if start == end:
        return [start]
    box = _around([start, end], plane.shape, max(_WIRE_MARGIN, max(abs(np.subtract(start, end))) // 4))
    part, scale = _reduced(plane, box, _WIRE_SIDE)
    ends = [
        tuple(int(min((value - low) * scale, limit - 1)) for value, low, limit in
              zip(point, (box.x, box.y), part.shape[::-1], strict=True))
        for point in (start, end)
    ]  # fmt: skip
    scissors = cv2.segmentation.IntelligentScissorsMB()
    scissors.setEdgeFeatureCannyParameters(32, 100)
    scissors.setGradientMagnitudeMaxLimit(200)
    scissors.applyImage(_eight_bits(part))
    scissors.buildMap(ends[0])
    line = scissors.getContour(ends[1]).reshape(-1, 2)
    full = np.rint((line + 0.5) / scale - 0.5).astype(int) + np.array([box.x, box.y])
    full = np.clip(full, (0, 0), (plane.shape[1] - 1, plane.shape[0] - 1))
    points = [start, *((int(x), int(y)) for x, y in full[1:-1]), end]
    return [point for number, point in enumerate(points) if number == 0 or point != points[number - 1]]


def grow(plane: np.ndarray, click: Point, box: Box, tolerance: float | None = None) -> np.ndarray:
    """The region around a click within a box, by a random walk that grey levels hinder.

    The edge of the box is taken for outside. With a tolerance, so are pixels whose grey level differs from
    that of the click by more than this share of the range within the box.

    Args:
        plane: Grey levels, uint16 `(H, W)`.
        click: Column and row within the region.
        box: Where the region may lie.
        tolerance: Share of the range, 0 to 1.

    Returns:
        The region that holds the click, bool `(height, width)` of the box.

    Raises:
        ShapeError: if the box is not inside the image, too small, or does not hold the click.

    Source: Grady, L. (2006), Random Walks for Image Segmentation, IEEE TPAMI 28(11), as scikit-image has it.
    """
    box.check((plane.shape[0], plane.shape[1]))
    x, y = click[0] - box.x, click[1] - box.y
    if not (0 < x < box.width - 1 and 0 < y < box.height - 1) or min(box.width, box.height) < 8:
        raise ShapeError("expected a box of at least 8 x 8 pixels with the click inside, not on its edge.")
    part, scale = _reduced(plane, box, _GROW_SIDE)
    height, width = part.shape
    column, row = (min(max(int(value * scale), 1), side - 2) for value, side in ((x, width), (y, height)))
    seeds = np.zeros(part.shape, np.uint8)
    seeds[0, :] = seeds[-1, :] = seeds[:, 0] = seeds[:, -1] = 2
    smooth = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 1)
    if tolerance is not None:
        spread = float(np.ptp(smooth)) or 1.0
        seeds[np.abs(smooth - smooth[row, column]) > tolerance * spread] = 2
    inner = np.zeros_like(seeds)
    inner[1:-1, 1:-1] = 1
    disc = cv2.circle(np.zeros_like(seeds), (column, row), _SEED, 1, -1)
    seeds[(disc == 1) & (inner == 1) & (seeds != 2)] = 1
    seeds[row, column] = 1
    share = _walk(smooth, seeds)
    if scale < 1:
        share = cv2.resize(share, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
    inside = (share > 0.5).astype(np.uint8)
    inside[y, x] = 1
    _, numbers = cv2.connectedComponents(inside, connectivity=4)
    return numbers == numbers[y, x]


def _walk(values: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Probability, float32 `(H, W)`, that a walker from a pixel meets seed 1 before seed 2."""
    from skimage.segmentation import random_walker

    if not (seeds == 0).any() or not np.ptp(values):
        return (seeds == 1).astype(np.float32)
    low, high = np.percentile(values, (1, 99))
    scaled = np.clip((values - low) / (high - low or 1.0), 0, 1).astype(np.float64)
    with warnings.catch_warnings():
        # Shares a little outside of 0 to 1, and pixels that no seed reaches: both count as outside below.
        warnings.simplefilter("ignore", UserWarning)
        shares = random_walker(scaled, seeds, beta=_STIFFNESS, mode="cg_j", return_full_prob=True)
    return np.asarray(shares[0], np.float32)  # in the order of the seeds


def _around(points: list[Point], shape: tuple[int, ...], margin: int) -> Box:
    columns, rows = zip(*points, strict=True)
    left, top = max(min(columns) - margin, 0), max(min(rows) - margin, 0)
    right, bottom = min(max(columns) + margin + 1, shape[1]), min(max(rows) + margin + 1, shape[0])
    return Box(left, top, right - left, bottom - top)


def _reduced(plane: np.ndarray, box: Box, side: int) -> tuple[np.ndarray, float]:
    """The part of a plane in a box, made smaller where it is larger than `side`, and by how much."""
    part = np.ascontiguousarray(plane[box.slices])
    scale = min(1.0, side / max(part.shape))
    if scale == 1:
        return part, 1.0
    size = (max(1, math.ceil(box.width * scale)), max(1, math.ceil(box.height * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), scale


def _eight_bits(part: np.ndarray) -> np.ndarray:
    low, high = np.percentile(part, (1, 99))
    return np.clip((part.astype(np.float32) - low) * (255 / (high - low or 1.0)), 0, 255).astype(np.uint8)
