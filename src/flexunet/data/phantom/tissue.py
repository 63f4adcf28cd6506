"""The tissue of a phantom: where the breast is on the film, and what is in it.

All lengths are fractions of the film's height; the chest wall is at x = 0 and the nipple points to the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_GLAND_SHARE = {"A": 0.10, "B": 0.26, "C": 0.46, "D": 0.70}


@dataclass(frozen=True)
class Anatomy:
    """What all films of one person have in common.

    Attributes:
        density: BI-RADS breast density letter, `A` (fatty) to `D` (extremely dense).
        depth: Chest wall to nipple, fraction of the film's height.
        half_height: Half of the breast's height on the film, same unit.
        exponent: Spectral exponent of the tissue texture, about 3.
        gland_brightness: Brightness that dense tissue adds, 0 to 1.
        fat_brightness: Brightness of fatty tissue, 0 to 1.
        strands: How strongly ligaments and ducts stand out.
        roundness: Exponent of the outline; 2 is an ellipse.
        rim: Width of the zone in which the compressed breast thins out towards the skin.
        seed: Seed of what differs from film to film.
    """

    density: str
    depth: float
    half_height: float
    exponent: float
    gland_brightness: float
    fat_brightness: float
    strands: float
    roundness: float
    rim: float
    seed: int

    @classmethod
    def draw(cls, seed: int, density: str | None = None) -> Anatomy:
        """Draw the person with this seed; a density letter given is kept."""
        rng = np.random.default_rng([seed, 0])
        drawn = str(rng.choice(list("ABCD"), p=[0.15, 0.4, 0.33, 0.12]))
        return cls(
            density=density or drawn,
            depth=rng.uniform(0.38, 0.68),
            half_height=rng.uniform(0.34, 0.44),
            exponent=rng.uniform(2.8, 3.2),
            gland_brightness=rng.uniform(0.36, 0.50),
            fat_brightness=rng.uniform(0.20, 0.30),
            strands=rng.uniform(0.7, 1.2),
            roundness=rng.uniform(1.9, 2.4),
            rim=rng.uniform(0.07, 0.13),
            seed=seed,
        )

    @property
    def gland_share(self) -> float:
        """Part of the breast that fibroglandular tissue takes, 0 to 1."""
        return _GLAND_SHARE[self.density]


@dataclass(frozen=True)
class Outline:
    """Outline of one view on a film of `width` x `height` pixels.

    Attributes:
        edge: Skin line: for each row, where the breast ends, fraction of the height, float32 `(height,)`.
        pectoral_edge: For each row, where the pectoral muscle ends; zeros where there is none.
        nipple: Row of the nipple, fraction of the height.
    """

    edge: FloatArray
    pectoral_edge: FloatArray
    nipple: float


def draw_outline(
    anatomy: Anatomy, rng: np.random.Generator, width: int, height: int, view: str, pectoral: bool
) -> Outline:
    """Draw the skin line and the muscle's border of one view."""
    y = ((np.arange(height) + 0.5) / height).astype(np.float32)
    depth = min(anatomy.depth * rng.uniform(0.94, 1.06), 0.88 * width / height)
    half = anatomy.half_height * rng.uniform(0.95, 1.05)
    if view == "CC":
        nipple = rng.uniform(0.47, 0.53)
        u = np.abs(y - nipple) / half
        edge = depth * np.clip(1 - u**anatomy.roundness, 0, None) ** (1 / 1.9)
    else:
        fold = rng.uniform(0.90, 0.96)
        nipple = fold - 0.75 * half
        below = np.clip((y - nipple) / (fold - nipple), 0, 1)
        above = np.clip((nipple - y) / nipple, 0, 1)
        axilla = depth * rng.uniform(0.42, 0.62)
        upper = axilla + (depth - axilla) * (0.5 + 0.5 * np.cos(np.pi * above**0.9)) ** 0.85
        lower = depth * (1 - below**anatomy.roundness) ** (1 / 1.9)
        edge = np.where(y < nipple, upper, lower)
    waves = rng.uniform(-1, 1, 4) * np.array([0.02, 0.012, 0.007, 0.004])
    phases = rng.uniform(0, 2 * np.pi, 4)
    angles = 2 * np.pi * np.outer(np.arange(1, 5), y) + phases[:, None]
    edge = edge * (1 + (waves[:, None] * np.cos(angles)).sum(axis=0))
    if rng.random() < 0.6:
        bump = 0.022 * np.exp(-(((y - nipple) / 0.014) ** 4))
        edge = edge + bump
    pectoral_edge = np.zeros(height)
    if pectoral:
        muscle_width = rng.uniform(0.45, 0.75) * float(edge[0])
        muscle_end = rng.uniform(0.45, 0.75)
        falling = np.clip(1 - y / muscle_end, 0, 1)
        pectoral_edge = muscle_width * falling ** rng.uniform(0.75, 1.1)
    return Outline(edge.astype(np.float32), pectoral_edge.astype(np.float32), float(nipple))


def draw_texture(
    rng: np.random.Generator, width: int, height: int, exponent: float, stretch: float = 1.0
) -> FloatArray:
    """Draw a Gaussian random field whose power falls with the frequency as `P(f) ~ f**-exponent`.

    Args:
        rng: Source of the noise.
        width: Pixels.
        height: Pixels.
        exponent: Spectral exponent; about 3 in mammograms.
        stretch: How much longer than high the structures are (1: no direction).

    Returns:
        Float32 `(height, width)`, mean 0, standard deviation 1.

    Source: Burgess, A. E. (1999), Mammographic structure: data preparation and spatial statistics analysis,
        Proc. SPIE 3661, 642-653; Heine, J. J. and Velthuizen, R. P. (2002), Spectral analysis of full field
        digital mammography data, Medical Physics 29(5), 647-661.
    """
    # A little more than the film: the field is periodic, and its seam must not lie on opposite borders.
    rows = scipy.fft.next_fast_len(height + height // 8, real=True)
    columns = scipy.fft.next_fast_len(width + width // 8, real=True)
    noise = rng.standard_normal((rows, columns), dtype=np.float32)
    spectrum = scipy.fft.rfft2(noise)
    fy = np.fft.fftfreq(rows, 1 / height).astype(np.float32)
    fx = np.fft.rfftfreq(columns, 1 / height).astype(np.float32) * stretch
    squared = fy[:, None] ** 2 + fx[None, :] ** 2 + np.float32(0.5)
    spectrum *= squared ** np.float32(-exponent / 4)
    spectrum[0, 0] = 0
    field = scipy.fft.irfft2(spectrum, s=(rows, columns))[:height, :width]
    return ((field - field.mean()) / (field.std() + 1e-9)).astype(np.float32)


def draw_tissue(
    anatomy: Anatomy, rng: np.random.Generator, outline: Outline, width: int, height: int
) -> tuple[FloatArray, NDArray[np.uint8], FloatArray]:
    """Draw what the film shows of a breast without a mass.

    Returns:
        Brightness, float32 `(height, width)`, 0 (air) to about 1; the breast, uint8 0/1; the distance of each
        pixel from the skin, float32, fraction of the height (0 outside).
    """
    x = ((np.arange(width) + 0.5) / height).astype(np.float32)[None, :]
    y = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
    breast = (x < outline.edge[:, None]).astype(np.uint8)
    # The film's own border is no skin: a replicated border keeps the distance from falling there.
    padded = cv2.copyMakeBorder(breast, height // 4, height // 4, height // 4, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    distance = distance[height // 4 : height // 4 + height, height // 4 : height // 4 + width] / height
    rim = np.clip(distance / anatomy.rim, 0, 1)
    thickness = np.sqrt(1 - (1 - rim) ** 2)

    coarse = draw_texture(rng, width, height, anatomy.exponent)
    fine = draw_texture(rng, width, height, anatomy.exponent)
    depth = float(outline.edge.max())
    ducts, ligaments = _radial_strands(anatomy, rng, width, height, 1.2 * depth, outline.nipple)

    centre_x, centre_y = depth * rng.uniform(0.48, 0.58), outline.nipple + rng.uniform(-0.03, 0.02)
    radius = np.sqrt(
        ((x - centre_x) / (0.42 * depth)) ** 2 + ((y - centre_y) / (0.62 * anatomy.half_height)) ** 2
    )
    threshold = 0.15 + 1.15 * anatomy.gland_share - radius
    gland = scipy.special.expit((threshold + 0.38 * coarse + 0.30 * (ducts - 0.4)) / 0.20)
    gland *= np.clip((distance - 0.015) / 0.06, 0, 1)

    brightness = anatomy.fat_brightness * (1 + 0.10 * coarse + 0.10 * fine)
    brightness += anatomy.strands * 0.13 * (0.30 + gland) * ducts
    brightness += anatomy.strands * 0.07 * (0.7 + 0.3 * gland) * ligaments
    brightness += anatomy.gland_brightness * gland * (0.55 + 0.20 * fine + 0.12 * coarse)
    if outline.pectoral_edge.any():
        inside = np.clip((outline.pectoral_edge[:, None] - x) / 0.02, 0, 1)
        muscle = 0.27 + 0.05 * coarse + 0.02 * fine
        brightness = brightness * (1 - 0.65 * inside) + inside * (anatomy.fat_brightness * 0.6 + muscle)
    skin = 0.07 * np.exp(-(((distance - 0.006) / 0.004) ** 2))
    brightness = (brightness * thickness + skin) * breast
    return brightness.astype(np.float32), breast, distance.astype(np.float32)


def _radial_strands(
    anatomy: Anatomy, rng: np.random.Generator, width: int, height: int, apex_x: float, apex_y: float
) -> tuple[FloatArray, FloatArray]:
    """Draw thin bright lines that run towards the nipple: ducts, and the finer ligaments.

    Where a smooth random field passes through zero lies a thin line; bending the field around a point before
    the nipple makes the lines run there.
    """
    x = (np.arange(width, dtype=np.float32) + 0.5)[None, :] / height
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None] / height
    far = np.sqrt((x - apex_x) ** 2 + (y - apex_y) ** 2)
    turn = np.arctan2(y - apex_y, apex_x - x)
    strands = []
    for exponent, stretch, line in ((anatomy.exponent + 0.5, 0.5, 0.20), (anatomy.exponent + 0.2, 0.7, 0.10)):
        field = draw_texture(rng, width, height, exponent, stretch)
        map_x = (far * height * 0.9).astype(np.float32)
        map_y = ((turn * 0.55 + 0.5) * height).astype(np.float32)
        bent = cv2.remap(field, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        strands.append(np.exp(-np.abs(bent) / line))
    return strands[0], strands[1]
