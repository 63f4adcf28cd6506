"""Synthetic mammograms with exact masks, for the demo, the tests and the benchmarks.

    phantom = draw_phantom(7, 512, 512)
    phantom.image, phantom.mask        # uint8 (512, 512); the mask is 1 on a mass

The same seed and settings give the same bytes. A phantom is no patient: it has the statistics that matter to
a segmentation system (outline, tissue spectrum, masses hidden in dense tissue, burned-in text), not anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from flexunet.data.phantom.masses import Mass, draw_masses, place_mass, render_mass
from flexunet.data.phantom.tissue import Anatomy, draw_outline, draw_tissue
from flexunet.errors import ShapeError

ByteArray = NDArray[np.uint8]

SIDES = ("L", "R")
VIEWS = ("CC", "MLO")
_SMALLEST = 32


@dataclass(frozen=True)
class Phantom:
    """One synthetic film.

    Attributes:
        image: Grey values, uint8 `(H, W)`.
        mask: 1 on a mass, else 0, uint8 `(H, W)`.
        breast: 1 on the breast, pectoral muscle included, else 0, uint8 `(H, W)`.
        burned: 1 where a label or a scanner edge was burned in, else 0, uint8 `(H, W)`.
        lesions: The masses, in the order in which they were placed.
        side: `L` or `R`; the chest wall of a left breast is at the left edge of the film.
        view: `CC` or `MLO`.
        density: BI-RADS density letter, `A` to `D`.
    """

    image: ByteArray
    mask: ByteArray
    breast: ByteArray
    burned: ByteArray
    lesions: tuple[Mass, ...]
    side: str
    view: str
    density: str


def draw_phantom(
    seed: int,
    width: int = 512,
    height: int = 512,
    *,
    lesions: int | Sequence[Mass] | None = None,
    pectoral: bool | None = None,
    labels: bool = True,
    edges: bool | None = None,
    side: str | None = None,
    view: str | None = None,
    patient: int | None = None,
    density: str | None = None,
) -> Phantom:
    """Draw one synthetic mammogram.

    Args:
        seed: Seed of the film.
        width: Pixels.
        height: Pixels.
        lesions: Number of masses, or the masses of `draw_masses`; drawn when left out (about one film in
            three has none).
        pectoral: Whether the pectoral muscle shows; on MLO views when left out.
        labels: Whether view text is burned in.
        edges: Whether scanner edges and borders are burned in; drawn when left out and `labels` is set.
        side: `L` or `R`; drawn when left out.
        view: `CC` or `MLO`; drawn when left out.
        patient: Seed of the person, whose films share size, density and texture; `seed` when left out.
        density: BI-RADS density letter `A` to `D`; the person's own when left out.

    Returns:
        The film and its exact masks.

    Raises:
        ShapeError: if a side is below 32 pixels.
    """
    if min(width, height) < _SMALLEST:
        raise ShapeError(
            f"a phantom needs at least {_SMALLEST} x {_SMALLEST} pixels, found {width} x {height}; "
            "ask for a larger one"
        )
    rng = np.random.default_rng([seed, 3])
    drawn_side, drawn_view = SIDES[rng.integers(2)], VIEWS[rng.integers(2)]
    drawn_count, drawn_edges = int(rng.choice([0, 1, 2], p=[0.35, 0.55, 0.10])), bool(rng.random() < 0.4)
    side, view = side or drawn_side, view or drawn_view
    anatomy = Anatomy.draw(seed if patient is None else patient, density)
    outline = draw_outline(anatomy, rng, width, height, view, view == "MLO" if pectoral is None else pectoral)
    brightness, breast, distance = draw_tissue(anatomy, rng, outline, width, height)

    if isinstance(lesions, Sequence):
        wanted = list(lesions)
    else:
        wanted = draw_masses(seed, drawn_count if lesions is None else lesions)
    mask = np.zeros((height, width), np.uint8)
    placed: list[Mass] = []
    for mass in wanted:
        found = place_mass(mass, rng, outline, distance, placed)
        if found is None:
            continue
        window, added, area = render_mass(found, width, height)
        brightness[window] += added * breast[window]
        mask[window] |= area & breast[window]
        placed.append(found)

    grey = _expose(brightness, rng, breast)
    if side == "R":
        grey, mask, breast = (np.ascontiguousarray(plane[:, ::-1]) for plane in (grey, mask, breast))
        placed = [Mass(width - m.x, m.y, m.radius, m.margin, m.contrast, m.seed) for m in placed]
    burned = np.zeros_like(mask)
    if drawn_edges and labels if edges is None else edges:
        _burn_edges(grey, burned, breast, rng, side)
    if labels:
        _burn_label(grey, burned, breast, rng, side, f"{side}-{view}")
    return Phantom(grey, mask, breast, burned, tuple(placed), side, view, anatomy.density)


def _expose(brightness: NDArray[np.float32], rng: np.random.Generator, breast: ByteArray) -> ByteArray:
    """Turn brightness into grey values: a film's shoulder, quantum noise, and air that is nearly black."""
    toned = 235 * (1 - np.exp(-1.55 * brightness)) / (1 - np.exp(-1.55))
    noise = rng.standard_normal(brightness.shape, dtype=np.float32)
    grey = toned + noise * (0.8 + 0.012 * toned) * np.where(breast, 1, 0.35) + 1
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _burn_label(
    grey: ByteArray, burned: ByteArray, breast: ByteArray, rng: np.random.Generator, side: str, text: str
) -> None:
    """Write the view's name into a corner of the air; left out where the breast leaves no room."""
    height, width = grey.shape
    scale = height / 512 * rng.uniform(0.55, 0.8)
    thickness = max(1, round(1.6 * scale))
    (text_width, text_height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    pad = max(2, text_height // 2)
    box_width, box_height = text_width + 2 * pad, text_height + base + 2 * pad
    margin = max(2, height // 40)
    left = width - box_width - margin if side == "L" else margin
    plate = rng.random() < 0.3
    for top in (margin, height - box_height - margin):
        window = slice(top, top + box_height), slice(left, left + box_width)
        if left < 0 or top < 0 or breast[window].any():
            continue
        canvas = np.full((box_height, box_width), 235 if plate else 0, np.uint8)
        ink = 20 if plate else int(rng.integers(190, 256))
        origin = (pad, pad + text_height)
        cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
        grey[window] = np.maximum(grey[window], canvas)
        burned[window] |= (canvas > 0).astype(np.uint8)
        return


def _burn_edges(
    grey: ByteArray, burned: ByteArray, breast: ByteArray, rng: np.random.Generator, side: str
) -> None:
    """Add what scanners leave: a bright strip at a border, a thin line, a dim vertical bar in the air."""
    height, width = grey.shape
    strip = max(1, round(height * rng.uniform(0.004, 0.012)))
    kind = int(rng.integers(3))
    marks = np.zeros_like(grey)
    if kind == 0:
        marks[-strip:] = rng.integers(120, 256)
        far = slice(width - strip, width) if side == "L" else slice(0, strip)
        marks[:, far] = rng.integers(120, 256)
    elif kind == 1:
        row = int(height * rng.uniform(0.96, 0.985))
        marks[row : row + max(1, height // 512)] = rng.integers(60, 160)
    else:
        column = int(width * (rng.uniform(0.82, 0.9) if side == "L" else rng.uniform(0.1, 0.18)))
        bar = slice(column, column + 2 * strip)
        if not breast[:, max(0, column - 3 * strip) : column + 5 * strip].any():
            marks[:, bar] = rng.integers(30, 90)
    marks[breast > 0] = 0
    np.maximum(grey, marks, out=grey)
    burned[marks > 0] = 1
