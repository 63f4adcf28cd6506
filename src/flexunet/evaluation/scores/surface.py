"""Distances between the boundaries of two masks.

The boundary of a region is its pixels with a 4-neighbour outside it; beyond the image edge counts as outside.
Distances run between pixel centres, exactly Euclidean, through a k-d tree of boundary pixels: for the thin
boundaries of lesions that is faster than distance transforms of whole images, and it takes unequal spacing.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class SurfaceScores(NamedTuple):
    """Boundary agreement of one class in one image; NaN where a distance does not exist.

    Attributes:
        hausdorff_95: The larger of the two directed 95th percentile distances.
        average_surface_distance: Mean over all boundary pixels of both masks (symmetric).
        boundary_dice: Share of boundary pixels of both masks within the tolerance of the other boundary.
    """

    hausdorff_95: float
    average_surface_distance: float
    boundary_dice: float


NOTHING = SurfaceScores(np.nan, np.nan, np.nan)
ONE_SIDED = SurfaceScores(np.nan, np.nan, 0.0)


def boundary(region: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Boundary pixels of a region.

    Args:
        region: 0 or 1, uint8 array `(H, W)`.

    Returns:
        Rows and columns, int64 array `(n, 2)`.
    """
    left, top, width, height = cv2.boundingRect(region)
    box = np.ascontiguousarray(region[top : top + height, left : left + width])
    inner = cv2.erode(box, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0) if box.size else box
    return np.argwhere(box != inner) + np.array([top, left])


def surface_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    tolerance: float = 2.0,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> SurfaceScores:
    """Compare the boundaries of one class.

    Where the class is in neither mask there is no score; where it is in one of them the distances do not
    exist (NaN, counted apart) and boundary Dice is 0.

    Args:
        truth: 0 or 1, uint8 array `(H, W)`.
        prediction: Same shape.
        tolerance: Distance up to which boundaries agree, in the unit of `spacing`.
        spacing: Height and width of a pixel; (1, 1) gives distances in pixels.

    Returns:
        The three scores.

    Source: Huttenlocher et al. (1993), IEEE TPAMI 15(9); Heimann et al. (2009), IEEE TMI 28(8) (average
    symmetric surface distance); Nikolov et al. (2021), J Med Internet Res 23(7) (surface Dice at a
    tolerance).
    """
    truth_boundary, predicted_boundary = boundary(truth), boundary(prediction)
    if not len(truth_boundary) or not len(predicted_boundary):
        return NOTHING if len(truth_boundary) == len(predicted_boundary) else ONE_SIDED
    truth_points, predicted_points = truth_boundary * spacing, predicted_boundary * spacing
    to_prediction, _ = cKDTree(predicted_points).query(truth_points)
    to_truth, _ = cKDTree(truth_points).query(predicted_points)
    count = len(to_prediction) + len(to_truth)
    within = np.count_nonzero(to_prediction <= tolerance) + np.count_nonzero(to_truth <= tolerance)
    return SurfaceScores(
        hausdorff_95=float(max(np.percentile(to_prediction, 95), np.percentile(to_truth, 95))),
        average_surface_distance=float((to_prediction.sum() + to_truth.sum()) / count),
        boundary_dice=within / count,
    )
