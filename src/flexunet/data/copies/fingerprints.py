"""Fingerprints: what of a picture survives flipping, turning, shrinking, bending and brightening.

A fingerprint is a set of local features (SIFT) of the normalised breast: the picture is scaled so that the
breast has always the same area, its contrast is evened out, and only features inside the breast count, so
that burned-in labels and film edges, which many pictures share, do not. Two fingerprints match if many of
their features agree on one affine map. Bending (elastic deformation, barrel, pincushion) moves features
by a few pixels, which the tolerance of that map absorbs. Mirror images cost nothing: the features of the
mirrored picture are a permutation of the features of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flexunet.data.images.foreground import find_foreground, without_filling
from flexunet.data.images.pixels import to_model_range

BREAST_SIDE = 160  # square root of the breast's area after scaling, pixels
MAX_SIDE = 480  # of the scaled picture, where the breast is only a small part of it
FEATURES = 256  # strongest features kept
LENGTH = 128  # of a descriptor
RATIO = 0.85  # nearest against second nearest descriptor (Lowe's ratio test)
TOLERANCE = 6.0  # pixels at BREAST_SIDE that an inlier may be off the affine map
MAX_STRETCH = 2.2  # an affine map that stretches or squeezes more is no copy made by any operation
_COARSE = 256  # side at which the breast is looked for
_INSIDE = 7  # pixels eroded off the breast, so that its outline gives no features
_GRID, _ANGLES = 4, 8

# A SIFT descriptor is a 4 x 4 grid of histograms of 8 directions. Mirroring across the axis of the feature's
# own direction turns the order of the grid's rows around and changes the sign of the directions.
_cells = np.arange(LENGTH).reshape(_GRID, _GRID, _ANGLES)
MIRRORED = _cells[::-1][:, :, -np.arange(_ANGLES) % _ANGLES].ravel()


@dataclass(frozen=True)
class Fingerprint:
    """Local features of one picture.

    Attributes:
        points: Positions `(n, 2)`, x and y in pixels of the scaled picture, float32.
        descriptors: `(n, 128)` uint8: square roots of normalised SIFT histograms, times 255.
    """

    points: np.ndarray
    descriptors: np.ndarray

    def unit_descriptors(self, mirrored: bool = False) -> np.ndarray:
        """Descriptors as float32 rows of length 1; of the mirror image if `mirrored`."""
        rows = self.descriptors[:, MIRRORED] if mirrored else self.descriptors
        return unit_rows(rows)


@dataclass(frozen=True)
class Match:
    """How well two fingerprints agree.

    Attributes:
        inliers: Features that agree on one affine map.
        putative: Features that resemble each other, before the map.
        spread: Root mean square distance of the inliers across their narrowest direction, relative to the
            side of the breast: near 0 if all lie on a line or in one spot, as on a burned-in label.
        mirrored: Whether one picture is a mirror image of the other.
    """

    inliers: int
    putative: int
    spread: float
    mirrored: bool


def unit_rows(descriptors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32."""
    rows = descriptors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def similarities(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines of unit rows `(n, d)` with unit rows `(m, d)`: float32 array `(n, m)`."""
    # OpenCV's product, not NumPy's: the many small products here run in threads already, and a BLAS that
    # starts threads of its own for each makes them ten times slower.
    return cv2.gemm(rows, others, 1.0, None, 0.0, flags=cv2.GEMM_2_T)  # type: ignore[call-overload]


def grey_of(image: np.ndarray) -> np.ndarray:
    """Grey levels of an image as uint8 `(H, W)`; 16-bit images are stretched to their own range."""
    if image.dtype == np.uint16:
        values = to_model_range(image)
        low, high = float(values.min()), float(values.max())
        image = ((values - low) * (255 / max(high - low, 1e-3))).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]


def take_fingerprint(grey: np.ndarray) -> Fingerprint:
    """Fingerprint of a picture.

    A negative (black tissue on white film) has the fingerprint of its positive.

    Args:
        grey: uint8 array `(H, W)`.

    Returns:
        Up to FEATURES features, strongest first; none if the picture is flat.

    Source: Lowe, D. G. (2004), Int. J. Computer Vision 60(2), 91-110 (SIFT); Arandjelovic and Zisserman
    (2012), CVPR, 2911-2918 (square roots of the histograms).
    """
    if _is_negative(grey):
        grey = 255 - grey
    breast = find_foreground(without_filling(_shrunk(grey, _COARSE / max(grey.shape))))
    scale = _COARSE / max(grey.shape) * BREAST_SIDE / np.sqrt(breast.sum())
    scale = min(scale, MAX_SIDE / max(grey.shape))
    picture = _shrunk(grey, scale)
    height, width = picture.shape
    inside = cv2.resize(breast.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    inside = cv2.erode(np.pad(inside, _INSIDE), np.ones((_INSIDE, _INSIDE), np.uint8))
    inside = np.ascontiguousarray(inside[_INSIDE:-_INSIDE, _INSIDE:-_INSIDE])
    finder = cv2.SIFT.create(nfeatures=FEATURES, contrastThreshold=0.01, edgeThreshold=15)
    keypoints, histograms = finder.detectAndCompute(_even_out(picture), inside)
    if histograms is None:
        return Fingerprint(np.zeros((0, 2), np.float32), np.zeros((0, LENGTH), np.uint8))
    keypoints, histograms = keypoints[:FEATURES], histograms[:FEATURES]
    shares = histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1e-6)
    descriptors = np.clip(np.rint(np.sqrt(shares) * 255), 0, 255).astype(np.uint8)
    return Fingerprint(np.array([k.pt for k in keypoints], np.float32), descriptors)


def match_fingerprints(first: Fingerprint, second: Fingerprint) -> Match:
    """Compare two pictures, straight and mirrored, and return the better match."""
    if min(len(first.points), len(second.points)) < 4:
        return Match(0, 0, 0.0, False)
    theirs = second.unit_descriptors()
    matches = [_match_one(first, second, theirs, mirrored) for mirrored in (False, True)]
    return max(matches, key=lambda match: (match.inliers, match.putative))


def _match_one(first: Fingerprint, second: Fingerprint, theirs: np.ndarray, mirrored: bool) -> Match:
    similarity = similarities(first.unit_descriptors(mirrored), theirs)
    rows = np.arange(len(similarity))
    nearest = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[nearest] == rows
    best = similarity[rows, nearest]
    similarity[rows, nearest] = -1
    second_best = similarity.max(axis=1)
    # Squared distance of unit rows is 2 - 2 cosine.
    keep = mutual & (1 - best < RATIO**2 * (1 - second_best))
    putative = int(keep.sum())
    if putative < 4:
        return Match(0, putative, 0.0, mirrored)
    here, there = first.points[keep], second.points[nearest[keep]]
    affine, accepted = cv2.estimateAffine2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE, maxIters=500, confidence=0.99
    )
    if affine is None or not _is_plausible(affine[:, :2], mirrored):
        return Match(0, putative, 0.0, mirrored)
    chosen = accepted.ravel() > 0
    return Match(int(chosen.sum()), putative, min(_spread(here[chosen]), _spread(there[chosen])), mirrored)


def _is_plausible(linear: np.ndarray, mirrored: bool) -> bool:
    stretch = np.linalg.svd(linear, compute_uv=False)
    sizes_fit = stretch[0] < MAX_STRETCH and stretch[1] > 1 / MAX_STRETCH
    return bool(sizes_fit and (np.linalg.det(linear) < 0) == mirrored)


def _is_negative(grey: np.ndarray) -> bool:
    """Whether most of the frame and a quarter of the picture are nearly as bright as its brightest pixels."""
    small = _shrunk(grey, _COARSE / max(grey.shape))
    low, high = (float(level) for level in np.percentile(small, [1, 99]))
    white = small >= high - 0.1 * (high - low)
    frame = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    return high - low > 8 and bool(frame.mean() > 0.5 and white.mean() > 0.25)


def _spread(points: np.ndarray) -> float:
    # Copies of one point (SIFT gives a point two directions where it has two) add nothing to the spread.
    distinct = np.unique(np.rint(points), axis=0)
    if len(distinct) < 3:
        return 0.0
    narrowest = np.linalg.eigvalsh(np.cov(distinct.T))[0]
    return float(np.sqrt(max(narrowest, 0.0)) / BREAST_SIDE)


def _shrunk(grey: np.ndarray, scale: float) -> np.ndarray:
    width, height = (max(8, round(side * scale)) for side in (grey.shape[1], grey.shape[0]))
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _even_out(picture: np.ndarray) -> np.ndarray:
    """Local mean 128, local deviation about 40: brightness and contrast are gone."""
    values = picture.astype(np.float32)
    centred = values - cv2.GaussianBlur(values, (0, 0), 12)
    deviation = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), 12))
    return np.clip(128 + 40 * centred / (deviation + 3), 0, 255).astype(np.uint8)
