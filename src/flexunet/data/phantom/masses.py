"""The masses of a phantom: round, lobulated and spiculated, each with its exact area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.special
from numpy.typing import NDArray

from flexunet.data.phantom.tissue import FloatArray, Outline, draw_texture

MARGINS = ("smooth", "lobulated", "spiculated")


@dataclass(frozen=True)
class Mass:
    """One mass.

    Attributes:
        x: Centre, pixels from the left edge of the film.
        y: Centre, pixels from the top.
        radius: Mean radius of the core, pixels.
        margin: `smooth`, `lobulated` or `spiculated`.
        contrast: Brightness added in the middle, 0 to 1.
        seed: Seed of its outline.
    """

    x: float
    y: float
    radius: float
    margin: str
    contrast: float
    seed: int


def draw_masses(seed: int, count: int, contrast: float = 1.0) -> list[Mass]:
    """Draw `count` masses of one breast, without a place yet; lengths are fractions of the film's height.

    Args:
        seed: Seed of the breast.
        count: Number of masses.
        contrast: Factor on their brightness; below 1 they are harder to see than in real films, above easier.
    """
    rng = np.random.default_rng([seed, 1])
    return [
        Mass(
            x=rng.uniform(0.25, 0.75),
            y=0.0,
            radius=float(np.exp(rng.uniform(np.log(0.026), np.log(0.078)))),
            margin=MARGINS[rng.integers(len(MARGINS))],
            contrast=contrast * rng.uniform(0.20, 0.34),
            seed=int(rng.integers(2**31)),
        )
        for _ in range(count)
    ]


def place_mass(
    mass: Mass, rng: np.random.Generator, outline: Outline, distance: FloatArray, others: Sequence[Mass]
) -> Mass | None:
    """Find a place inside the breast, off the muscle and other masses, at the mass's depth behind the nipple.

    Returns:
        The mass with its place and size in pixels of this film; None when the breast has no room for it.
    """
    height, width = distance.shape
    y = rng.uniform(0.1, 0.9, 400)
    rows = (y * height).astype(int)
    edge, muscle = outline.edge[rows], outline.pectoral_edge[rows]
    # Depth is what the two views of one breast share; the tries further down give it up step by step.
    x = edge.max() * mass.x + rng.normal(0, 0.01, 400) + np.linspace(0, 0.25, 400) * rng.uniform(-1, 1, 400)
    columns = np.clip((x * height).astype(int), 0, width - 1)
    reach = _reach(mass)
    fits = (distance[rows, columns] > reach + 0.015) & (x - muscle > reach) & (x > 0.6 * reach)
    for other in others:
        apart = np.hypot(x * height - other.x, y * height - other.y)
        fits &= apart > _reach(other) + reach * height
    chosen = np.flatnonzero(fits)
    if not len(chosen):
        return None
    best = chosen[0]
    return replace(mass, x=float(x[best] * height), y=float(y[best] * height), radius=mass.radius * height)


def _reach(mass: Mass) -> float:
    """How far from its centre a mass may stretch, in the unit of its radius."""
    return mass.radius * (1.7 if mass.margin == "spiculated" else 1.2)


def render_mass(
    mass: Mass, width: int, height: int
) -> tuple[tuple[slice, slice], FloatArray, NDArray[np.uint8]]:
    """Draw one placed mass.

    Returns:
        The part of the film that it touches, the brightness it adds there, and its exact area there (0/1).
    """
    reach = 2.4 * mass.radius + 3
    top, bottom = max(0, int(mass.y - reach)), min(height, int(mass.y + reach) + 2)
    left, right = max(0, int(mass.x - reach)), min(width, int(mass.x + reach) + 2)
    dx = (np.arange(left, right) + 0.5 - mass.x)[None, :]
    dy = (np.arange(top, bottom) + 0.5 - mass.y)[:, None]
    angle, far = np.arctan2(dy, dx), np.hypot(dx, dy) / mass.radius
    edge, spicules = _edge(mass, angle)
    depth = edge - far
    softness = {"smooth": 0.12, "lobulated": 0.14, "spiculated": 0.20}[mass.margin]
    inside = np.clip(depth / edge, 0, 1)
    core = 0.5 * np.sqrt(1 - (1 - inside) ** 2) + 0.5 * scipy.special.expit(depth / (0.5 * softness))
    core *= far < edge + 4 * softness
    rays = 0.5 * spicules * np.clip(1 - (far - edge) / 0.8, 0, 1) * (far >= edge)
    texture = draw_texture(np.random.default_rng([mass.seed, 4]), right - left, bottom - top, 3.0)
    brightness = mass.contrast * np.maximum(core, rays) * (1 + 0.15 * texture)
    return (
        (slice(top, bottom), slice(left, right)),
        brightness.astype(np.float32),
        (depth > 0).astype(np.uint8),
    )


def _edge(mass: Mass, angle: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius of the outline in each direction (mean 1), and how much a spicule points there (0 to 1)."""
    rng = np.random.default_rng([mass.seed, 2])
    orders = np.arange(2, 8)
    strength = {"smooth": 0.05, "lobulated": 0.13, "spiculated": 0.06}[mass.margin]
    falloff = {"smooth": 1.5, "lobulated": 0.6, "spiculated": 0.4}[mass.margin]
    sizes = strength * rng.uniform(0.3, 1.0, orders.size) / (orders - 1.0) ** falloff
    phases = rng.uniform(0, 2 * np.pi, orders.size)
    sizes[0] = rng.uniform(0.02, 0.16)
    edge = np.ones_like(angle)
    for order, size, phase in zip(orders, sizes, phases, strict=True):
        edge += size * np.cos(order * angle + phase)
    spicules = np.zeros_like(angle)
    if mass.margin == "spiculated":
        count = int(rng.integers(9, 20))
        middles = rng.uniform(-np.pi, np.pi, count)
        lengths = np.minimum(rng.exponential(0.14, count) + 0.03, 0.45)
        widths = rng.uniform(0.025, 0.08, count)
        for middle, length, width in zip(middles, lengths, widths, strict=True):
            turn = np.angle(np.exp(1j * (angle - middle)))
            peak = np.exp(-((turn / width) ** 2))
            edge += length * peak
            spicules = np.maximum(spicules, peak * min(1.0, length / 0.2))
    return edge, spicules
