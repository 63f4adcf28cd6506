"""Fill a polygon: the pixels whose middles lie within it or on its edge."""

from __future__ import annotations

import numpy as np
from skimage.measure import points_in_poly

_TIE = 1e-4  # pixels; nearer to an edge, the exact comparison decides
_FLAT = 1e-3  # pixels that an edge rises; a flatter one is compared exactly along its whole length


def fill_polygon(corners: np.ndarray, mask: np.ndarray, value: int) -> bool:
    """Set the pixels whose middles lie within or on a polygon, even-odd, as `skimage.draw.polygon` does.

    That compares every pixel of the polygon's box with every edge. Here each edge is cut with the rows that
    it crosses, and a pixel is inside where an odd number of cuts lies to its left; the few pixels at a cut
    are compared with every edge.

    Args:
        corners: `(n, 2)`, x and y; whole numbers are the middles of pixels.
        mask: `(H, W)`, written to.
        value: What the pixels are set to.

    Returns:
        Whether there are any.
    """
    size = np.array(mask.shape[::-1])
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, size)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, size)
    if (first >= last).any():
        return False
    columns, rows = (last - first).tolist()
    corners = corners - first
    row, x = _cuts(corners, rows)
    # The pixel after a cut is the first that has it to its left; cuts beyond the box count for all or none.
    toggles = np.zeros((rows, columns + 1), np.uint8)
    np.bitwise_xor.at(toggles, (row, np.clip(np.floor(x) + 1, 0, columns).astype(int)), 1)
    inside = np.bitwise_xor.accumulate(toggles[:, :columns], axis=1)
    nearest = np.rint(x)
    ties = (np.abs(x - nearest) < _TIE) & (nearest >= 0) & (nearest < columns)
    doubtful = np.zeros((rows, columns), bool)
    doubtful[row[ties], nearest[ties].astype(int)] = True
    _mark_flat(corners, doubtful)
    y, across = np.nonzero(doubtful)
    if len(y):
        inside[y, across] = points_in_poly(np.stack([across, y], axis=1), corners)
    box = mask[first[1] : last[1], first[0] : last[0]]
    area = inside > 0
    box[area] = value
    return bool(area.any())


def _cuts(corners: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and x of each cut of an edge with a row; an edge has its upper end and lacks its lower one."""
    begin, end = corners, np.roll(corners, -1, axis=0)
    upper = np.where((begin[:, 1] <= end[:, 1])[:, None], begin, end)
    lower = np.where((begin[:, 1] <= end[:, 1])[:, None], end, begin)
    top = np.clip(np.ceil(upper[:, 1]), 0, rows).astype(np.int64)
    bottom = np.clip(np.ceil(lower[:, 1]), 0, rows).astype(np.int64)
    counts = bottom - top
    edge = np.repeat(np.arange(len(corners)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + top[edge]
    slope = (lower[edge, 0] - upper[edge, 0]) / (lower[edge, 1] - upper[edge, 1])
    return row, upper[edge, 0] + (row - upper[edge, 1]) * slope


def _mark_flat(corners: np.ndarray, doubtful: np.ndarray) -> None:
    """Mark the pixels along edges that lie nearly level on a row, and at corners on one."""
    rows, columns = doubtful.shape
    begin, end = corners, np.roll(corners, -1, axis=0)
    row = np.rint(begin[:, 1])
    level = (np.abs(begin[:, 1] - row) < _FLAT) & (row >= 0) & (row < rows)
    flat = level & (np.abs(end[:, 1] - begin[:, 1]) < _FLAT)
    for number in np.flatnonzero(flat):
        left, right = sorted((begin[number, 0], end[number, 0]))
        doubtful[int(row[number]), max(0, int(np.floor(left))) : max(0, int(np.ceil(right)) + 1)] = True
    corner = np.rint(begin[:, 0])
    near = level & (np.abs(begin[:, 0] - corner) < _FLAT) & (corner >= 0) & (corner < columns)
    doubtful[row[near].astype(int), corner[near].astype(int)] = True
