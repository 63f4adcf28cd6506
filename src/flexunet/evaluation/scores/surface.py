"""Distances between the boundaries of two masks.

The boundary of a region is its pixels with a 4-neighbour outside it; beyond the image edge counts as outside.
Distances run between pixel centres, exactly Euclidean, through a k-d tree of boundary pixels: for the thin
boundaries of lesions that is faster than distance transforms of whole images, and it takes unequal spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from flexunet.evaluation.scores.row import ImageScore, Summary, Values
from flexunet.evaluation.scores.rules import ScoringRules

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
Spacing = tuple[float, float]


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


class Distances(NamedTuple):
    """How far each boundary pixel lies from the other boundary, float64 `(n,)` and `(m,)`, neither empty.

    Attributes:
        to_prediction: Of each boundary pixel of the truth.
        to_truth: Of each boundary pixel of the prediction.
    """

    to_prediction: Values
    to_truth: Values

    @property
    def hausdorff_95(self) -> float:
        """The larger of the two directed 95th percentiles."""
        return float(max(np.percentile(self.to_prediction, 95), np.percentile(self.to_truth, 95)))

    @property
    def average(self) -> float:
        """Mean over all boundary pixels of both masks."""
        count = len(self.to_prediction) + len(self.to_truth)
        return float((self.to_prediction.sum() + self.to_truth.sum()) / count)

    def share_within(self, tolerance: float) -> float:
        """Share of the boundary pixels of both masks that are no farther than `tolerance`."""
        within = np.count_nonzero(self.to_prediction <= tolerance) + np.count_nonzero(
            self.to_truth <= tolerance
        )
        return within / (len(self.to_prediction) + len(self.to_truth))


@dataclass(frozen=True)
class Boundaries:
    """One class of one image that truth and prediction both have.

    Attributes:
        truth: 0 or 1, uint8 `(H, W)`.
        prediction: Same shape.
        spacing: Height and width of a pixel in mm, None where unknown.
        px: Distances in pixels.
        mm: Distances in mm, None where the spacing is unknown.
    """

    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    spacing: Spacing | None
    px: Distances
    mm: Distances | None


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


def distances_between(first: NDArray, second: NDArray, spacing: Spacing = (1.0, 1.0)) -> Distances:
    """Distances between two sets of pixels, rows and columns `(n, 2)` and `(m, 2)`, neither empty."""
    first, second = first * spacing, second * spacing
    return Distances(cKDTree(second).query(first)[0], cKDTree(first).query(second)[0])


def surface_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    tolerance: float = 2.0,
    spacing: Spacing = (1.0, 1.0),
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
    """
    edges = boundary(truth), boundary(prediction)
    if not all(len(edge) for edge in edges):
        one_sided = any(len(edge) for edge in edges)
        return SurfaceScores(np.nan, np.nan, 0.0 if one_sided else np.nan)
    between = distances_between(*edges, spacing)
    return SurfaceScores(between.hausdorff_95, between.average, between.share_within(tolerance))


def score_boundaries(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], rules: ScoringRules, spacing: Spacing | None
) -> list[float]:
    """The scores of `SURFACE_SCORES` of one class, in their order.

    Args:
        truth: 0 or 1, uint8 array `(H, W)`.
        prediction: Same shape.
        rules: The rules.
        spacing: Height and width of a pixel in mm, None where unknown.
    """
    edges = boundary(truth), boundary(prediction)
    if not all(len(edge) for edge in edges):
        one_sided = any(len(edge) for edge in edges)
        return [row.one_sided if one_sided else np.nan for row in SURFACE_SCORES]
    px = distances_between(*edges)
    mm = None
    if spacing is not None and spacing[0] == spacing[1]:
        mm = Distances(*(distances * spacing[0] for distances in px))
    elif spacing is not None:
        mm = distances_between(*edges, spacing)
    pair = Boundaries(truth, prediction, spacing, px, mm)
    return [row.surface(pair, rules) if row.surface else np.nan for row in SURFACE_SCORES]


def contour(region: NDArray[np.uint8], spacing: Spacing) -> tuple[Values, Values]:
    """The contour of a region in pieces, one at each corner of pixels that it passes.

    It runs between pixels, straight where two neighbours lie on one side, and cuts the corner otherwise.

    Args:
        region: 0 or 1, uint8 array `(H, W)`; beyond the image edge is outside.
        spacing: Height and width of a pixel.

    Returns:
        Places of the corners as row and column, `(n, 2)`, and lengths of the pieces, `(n,)`, both in the unit
        of `spacing`.
    """
    left, top, width, height = cv2.boundingRect(region)
    box = np.pad(region[top : top + height, left : left + width], 1)
    # The four pixels around a corner: top left 8, top right 4, bottom left 2, bottom right 1.
    kind = 8 * box[:-1, :-1] + 4 * box[:-1, 1:] + 2 * box[1:, :-1] + box[1:, 1:]
    cut = float(np.hypot(*spacing)) / 2
    lengths = np.full(16, cut)
    lengths[[0, 15]] = 0
    lengths[[0b1100, 0b0011]] = spacing[1]
    lengths[[0b1010, 0b0101]] = spacing[0]
    lengths[[0b1001, 0b0110]] = 2 * cut
    places = np.argwhere((kind > 0) & (kind < 15))
    corners = (places + np.array([top, left])).astype(np.float64)
    return corners * spacing, lengths[kind[tuple(places.T)]]


def surface_dice(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], tolerance: float, spacing: Spacing = (1.0, 1.0)
) -> float:
    """Normalised surface Dice: the share of both contours, by length, within a tolerance of the other.

    Args:
        truth: 0 or 1, uint8 array `(H, W)`, not empty.
        prediction: Same shape, not empty.
        tolerance: In the unit of `spacing`; a piece of the contour exactly as far counts as within.
        spacing: Height and width of a pixel.

    Source: Nikolov et al. (2018), arXiv:1809.04430.
    """
    (first, first_lengths), (second, second_lengths) = contour(truth, spacing), contour(prediction, spacing)
    between = distances_between(first, second)
    within = first_lengths[between.to_prediction <= tolerance].sum()
    within += second_lengths[between.to_truth <= tolerance].sum()
    return float(within / (first_lengths.sum() + second_lengths.sum()))


def _surface_dice(pair: Boundaries, rules: ScoringRules) -> float:
    if pair.spacing is None:
        return surface_dice(pair.truth, pair.prediction, rules.boundary_tolerance)
    return surface_dice(pair.truth, pair.prediction, rules.surface_tolerance_mm, pair.spacing)


_HUTTENLOCHER = "Huttenlocher et al. (1993), IEEE TPAMI 15(9)"
_HEIMANN = "Heimann et al. (2009), IEEE TMI 28(8)"
_ONE_SIDED = "class in truth or prediction alone, or in neither"

SURFACE_SCORES: Sequence[ImageScore] = (
    ImageScore(
        name="boundary_dice",
        column="boundary_dice_per_image",
        label="boundary Dice",
        better="higher",
        definition="Share of the boundary pixels of truth and prediction that lie within "
        "`boundary_tolerance` pixels of the other boundary; 0 where the class is in one of them alone.",
        undefined="class in neither",
        source="Nikolov et al. (2021), J Med Internet Res 23(7)",
        summaries=(Summary("mean", ("console", "comparison")),),
        surface=lambda pair, rules: pair.px.share_within(rules.boundary_tolerance),
        one_sided=0.0,
        empty_rule=True,
    ),
    ImageScore(
        name="hausdorff_95_px",
        column="hausdorff_95_px",
        label="95 % Hausdorff distance",
        unit="px",
        digits=1,
        better="lower",
        definition="The larger of the two 95th percentiles of the distances from one boundary to the other.",
        undefined=_ONE_SIDED,
        source=_HUTTENLOCHER,
        summaries=(
            Summary("mean", ("console", "card", "tiles", "comparison", "readers")),
            Summary("median"),
        ),
        surface=lambda pair, rules: pair.px.hausdorff_95,
    ),
    ImageScore(
        name="average_surface_distance_px",
        column="average_surface_distance_px",
        label="average surface distance",
        unit="px",
        digits=2,
        better="lower",
        definition="Mean distance of the boundary pixels of truth and prediction from the other boundary.",
        undefined=_ONE_SIDED,
        source=_HEIMANN,
        summaries=(Summary("mean", ("console", "comparison")),),
        surface=lambda pair, rules: pair.px.average,
    ),
    ImageScore(
        name="hausdorff_95_mm",
        column="hausdorff_95_mm",
        label="95 % Hausdorff distance",
        unit="mm",
        digits=2,
        better="lower",
        definition="The 95 % Hausdorff distance in mm.",
        undefined=f"{_ONE_SIDED}, or spacing unknown",
        source=_HUTTENLOCHER,
        summaries=(Summary("mean", ("console",)),),
        surface=lambda pair, rules: pair.mm.hausdorff_95 if pair.mm else np.nan,
    ),
    ImageScore(
        name="average_surface_distance_mm",
        column="average_surface_distance_mm",
        label="average surface distance",
        unit="mm",
        digits=2,
        better="lower",
        definition="The average surface distance in mm.",
        undefined=f"{_ONE_SIDED}, or spacing unknown",
        source=_HEIMANN,
        summaries=(Summary("mean", ("console",)),),
        surface=lambda pair, rules: pair.mm.average if pair.mm else np.nan,
    ),
    ImageScore(
        name="surface_dice",
        column="surface_dice_per_image",
        label="normalised surface Dice",
        better="higher",
        definition="Share of the contours of truth and prediction, by length, that lies within "
        "`surface_tolerance_mm` of the other contour, or `boundary_tolerance` pixels where spacing is "
        "unknown; 0 where the class is in one of them alone.",
        undefined="class in neither",
        source="Nikolov et al. (2018), arXiv:1809.04430",
        summaries=(Summary("mean", ("console", "comparison", "readers")),),
        surface=_surface_dice,
        one_sided=0.0,
        empty_rule=True,
    ),
)
