"""Displacement fields: where each pixel of a warped image is taken from.

A field is a pair `(map_x, map_y)` of float32 arrays `(H, W)`: output pixel (x, y) is the input at
(map_x[y, x], map_y[y, x]).

Smooth random fields are noise under a wide Gaussian. A wide Gaussian leaves nothing but low frequencies, so
it is applied to the few cosines that survive it: three small matrix products instead of two passes of
hundreds of taps over every pixel. Cosines of half-sample symmetry are the eigenvectors of a symmetric
convolution with mirrored borders (Strang, G. (1999), The Discrete Cosine Transform, SIAM Review 41(1)),
so the result equals that of `scipy.ndimage.gaussian_filter`, up to what the dropped frequencies held.
`scipy.fft.dctn` transforms all frequencies: at 512 pixels it takes 1.7 (sigma 8) to 14 times (40) as long.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

Field = tuple[np.ndarray, np.ndarray]

_TRUNCATE = 4.0  # kernel radius in sigmas, as in scipy.ndimage.gaussian_filter
_BAND = 5.3  # cosines above _BAND / sigma radians a pixel are dropped: exp(-5.3**2 / 2) < 1e-6
_ROWS = 32  # of noise that are drawn at a time
_FEWEST = 64  # where sigma is as large as the image, what the cut-off kernel leaves of the others counts


def smooth(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter with zeros beyond the borders.

    Args:
        noise: Float array `(H, W)`.
        sigma: Width of the Gaussian, in pixels.

    Returns:
        Float32 array `(H, W)`.
    """
    rows, columns = (_cosines(length, sigma, _radius(sigma)) for length in noise.shape)
    return rows.smooth.T @ (rows.plain @ noise.astype(np.float32) @ columns.plain.T) @ columns.smooth


def slopes(noise: np.ndarray, sigma: float) -> Field:
    """Derivatives along x and along y of noise under a Gaussian, borders mirrored.

    Args:
        noise: Float array `(H, W)`.
        sigma: Width of the Gaussian, in pixels.

    Returns:
        Two float32 arrays `(H, W)`: along x, along y.
    """
    rows, columns = (_cosines(length, sigma, 0) for length in noise.shape)
    spectrum = rows.plain @ noise.astype(np.float32) @ columns.plain.T
    return rows.smooth.T @ spectrum @ columns.slope, rows.slope.T @ spectrum @ columns.smooth


def deformation_field(height: int, width: int, alpha: float, sigma: float, seed: int, draw: int = 0) -> Field:
    """Elastic deformation: noise in [-1, 1] under a Gaussian, times `alpha`, for x and for y.

    The published tools draw noise of shape `(H, W, 3)` and smooth it over the colour axis too, which moves
    each channel by a field of its own. Ours is the field of the middle channel, for all channels.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        alpha: Strength. With sigma 8 the displacement has a standard deviation of about alpha / 580 pixels.
        sigma: Width of the Gaussian, in pixels.
        seed: Of the noise; the published tools use 137 for every image.
        draw: Fields drawn from this seed before; the second sigma of a list takes the second field.

    Returns:
        `(map_x, map_y)`.

    Source: Simard, P. Y., Steinkraus, D. and Platt, J. C. (2003), Best Practices for Convolutional Neural
    Networks Applied to Visual Document Analysis, ICDAR.
    """
    # The legacy generator and the three channels are what makes the field equal to the published one.
    draws = np.random.RandomState(seed)
    middle, beside = _gaussian(sigma)[_radius(sigma) :][:2]
    displacements = []
    for _ in range(2 * draw + 2):
        noise = np.empty((height, width), np.float32)
        for top in range(0, height, _ROWS):  # all at once would take 24 bytes a pixel
            rows = noise[top : top + _ROWS]
            drawn = draws.random_sample((*rows.shape, 3))
            rows[:] = 2 * beside * (drawn[..., 0] + drawn[..., 2]) + 2 * middle * drawn[..., 1]
        noise -= 2 * beside + middle
        displacements.append(noise)
    return _displaced(*(smooth(noise, sigma) * np.float32(alpha) for noise in displacements[-2:]))


def distortion_field(height: int, width: int, size: float, sigma: float, seed: int) -> Field:
    """Distortion along the slopes of a smooth random landscape.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        size: Largest displacement, as a fraction of width (along x) and height (along y), rounded down to
            whole pixels as published.
        sigma: Width of the Gaussian, in pixels.
        seed: Of the noise.

    Returns:
        `(map_x, map_y)`.
    """
    noise = np.random.default_rng(seed).standard_normal((height, width), dtype=np.float32)
    along_x, along_y = slopes(noise, sigma)
    return _displaced(-_bounded(along_x, int(width * size)), -_bounded(along_y, int(height * size)))


@lru_cache(maxsize=4)
def cached_deformation_field(
    height: int, width: int, alpha: float, sigma: float, seed: int, draw: int
) -> Field:
    """`deformation_field`, kept: one field serves all images of a size."""
    return deformation_field(height, width, alpha, sigma, seed, draw)


@lru_cache(maxsize=32)
def disc_field(
    height: int, width: int, center: tuple[float, float], radius: float, amount: float
) -> tuple[int, int, Field]:
    """Barrel (amount > 0) or pincushion (amount < 0) distortion of a disc.

    A pixel at distance r < R from the centre is taken from the same direction at the distance
    r * sin(pi/2 * r/R) ** amount. Outside the disc nothing moves, so the field covers the disc's box alone.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        center: Of the disc, as fractions of width and height.
        radius: R, as a fraction of the width.
        amount: Strength; above -1.

    Returns:
        Row and column of the box's upper left corner, and `(map_x, map_y)` of the box in coordinates of the
        whole image. The box is empty if the disc lies outside the image.
    """
    x, y, reach = center[0] * width, center[1] * height, radius * width
    left, right = (int(np.clip(edge, 0, width)) for edge in (np.floor(x - reach), np.ceil(x + reach) + 1))
    top, bottom = (int(np.clip(edge, 0, height)) for edge in (np.floor(y - reach), np.ceil(y + reach) + 1))
    across = np.arange(left, right, dtype=np.float32) - np.float32(x)
    down = (np.arange(top, bottom, dtype=np.float32) - np.float32(y))[:, None]
    distance = np.sqrt(across * across + down * down)
    moved = (distance > 0) & (distance < reach)
    angle = np.where(moved, distance, np.float32(reach)) * np.float32(np.pi / 2 / reach)
    factor = np.power(np.sin(angle), np.float32(amount))
    factor[~moved] = 1
    return top, left, (np.float32(x) + factor * across, np.float32(y) + factor * down)


class _Cosines:
    """Cosines `(K, L)` that survive a Gaussian: plain, smoothed by it, and with its derivative.

    The line is thought of as `pad` samples longer at both ends; noise is zero there.
    """

    def __init__(self, length: int, sigma: float, pad: int):
        whole = length + 2 * pad
        count = min(whole, max(_FEWEST, int(np.ceil(_BAND / sigma * whole / np.pi)) + 1))
        frequency = np.pi * np.arange(count)[:, None] / whole
        phase = frequency * (np.arange(length) + pad + 0.5)
        norm = np.sqrt(np.where(frequency == 0, 1, 2) / whole)
        offsets = np.arange(-_radius(sigma), _radius(sigma) + 1)
        weights = _gaussian(sigma)
        kept = np.cos(frequency * offsets) @ weights
        steepness = np.sin(frequency * offsets) @ (-offsets / sigma**2 * weights)
        cosines = norm * np.cos(phase)
        self.plain = cosines.astype(np.float32)
        self.smooth = (kept[:, None] * cosines).astype(np.float32)
        self.slope = (steepness[:, None] * norm * np.sin(phase)).astype(np.float32)


@lru_cache(maxsize=16)
def _cosines(length: int, sigma: float, pad: int) -> _Cosines:
    return _Cosines(length, sigma, pad)


def _radius(sigma: float) -> int:
    return int(_TRUNCATE * sigma + 0.5)


def _gaussian(sigma: float) -> np.ndarray:
    """Normalised kernel, float64 array of `2 * _radius(sigma) + 1` values."""
    offsets = np.arange(-_radius(sigma), _radius(sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _bounded(slope: np.ndarray, largest: int) -> np.ndarray:
    peak = float(np.abs(slope).max())
    return slope * np.float32(largest / peak if peak else 0)


def _displaced(along_x: np.ndarray, along_y: np.ndarray) -> Field:
    height, width = along_x.shape
    along_x += np.arange(width, dtype=np.float32)
    along_y += np.arange(height, dtype=np.float32)[:, None]
    return along_x, along_y
