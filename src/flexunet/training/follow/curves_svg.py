"""The curves of a run as small SVG pictures, for a page that needs no other file."""

from __future__ import annotations

import math
from dataclasses import dataclass

_WIDTH, _HEIGHT = 420, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 26
_TICKS = 4


@dataclass(frozen=True)
class Line:
    """One curve: its name, its points in the picture, and which of the two colours and strokes it has."""

    name: str
    points: str
    kind: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A picture of one figure on training and validation images.

    Attributes:
        name: The figure.
        width: Width of the picture.
        height: Height.
        left: Where the drawing begins.
        right: Where it ends.
        bottom: Where the lower axis lies.
        top: Where the drawing begins above.
        lines: The curves.
        rows: Marks of the vertical axis.
        columns: Marks of the lower axis, epochs.
        best: Where the best epoch lies; none if there is none.
        step: Distance of two epochs.
    """

    name: str
    width: int
    height: int
    left: float
    right: float
    bottom: float
    top: float
    lines: list[Line]
    rows: list[Tick]
    columns: list[Tick]
    best: float | None
    step: float


def curves_svg(figures: dict[str, list[float]], best_epoch: int | None) -> list[Chart]:
    """The charts of `figure_names`, training and validation in one."""
    return [_chart(name, figures, best_epoch) for name in figure_names(figures)]


def figure_names(figures: dict[str, list[float]]) -> list[str]:
    """Names of the figures, the loss first, then what looks at lesions alone; no learning rate, no twins."""
    names = [name for name in figures if name != "lr" and not name.startswith("val_")]
    return sorted(names, key=lambda name: (name != "loss", "foreground" not in name))


def _chart(name: str, figures: dict[str, list[float]], best_epoch: int | None) -> Chart:
    curves = {key: figures[key] for key in (name, f"val_{name}") if key in figures}
    epochs = len(figures[name])
    finite = [value for values in curves.values() for value in values if math.isfinite(value)] or [0.0]
    # A loss falls by orders of magnitude: on a linear axis all but the first epochs would lie on the floor.
    logarithmic = name == "loss" and min(finite) > 0 and max(finite) / min(finite) > 20
    low, high = min(finite), max(finite)
    if high - low < 1e-9:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    step = (right - _LEFT) / max(1, epochs - 1)

    def x(epoch: int) -> float:
        return round(_LEFT + (epoch - 1) * step, 2)

    def y(value: float) -> float:
        part = math.log(value / low) / math.log(high / low) if logarithmic else (value - low) / (high - low)
        return round(bottom - part * (bottom - _TOP), 2)

    ticks = _powers(low, high) if logarithmic else _round_values(low, high)
    return Chart(
        name=name,
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        bottom=bottom,
        top=_TOP,
        lines=[
            Line(
                key,
                " ".join(
                    f"{x(epoch)},{y(value)}" for epoch, value in enumerate(values, 1) if math.isfinite(value)
                ),
                "valid" if key.startswith("val_") else "train",
            )
            for key, values in curves.items()
        ],
        rows=[Tick(y(value), f"{value:.3g}") for value in ticks],
        columns=[Tick(x(int(epoch)), f"{epoch:.0f}") for epoch in _round_values(1, epochs) if epoch % 1 == 0],
        best=x(best_epoch) if best_epoch else None,
        step=step,
    )


def _round_values(low: float, high: float) -> list[float]:
    """A few round values between two."""
    if high <= low:
        return [low]
    rough = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 10) for count in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; powers of ten alone where those are many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in exponents for factor in factors]
        found = [value for value in found if low <= value <= high]
        if len(found) <= _TICKS + 2:
            break
    return found
