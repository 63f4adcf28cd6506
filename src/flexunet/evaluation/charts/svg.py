"""Charts as inline SVG: no script, no font, no network; sharp at any width, readable by screen readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from markupsafe import Markup

# The first two are variables of the page, which has others for dark screens.
BLUE, ORANGE, GREEN, GREY = "var(--blue)", "var(--orange)", "#009e73", "#8a94a0"
WIDTH, HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 46
Points = Sequence[tuple[float, float]]


class Chart:
    """One chart under construction.

    Args:
        title: What it shows, for screen readers.
        x_label: Under the horizontal axis.
        y_label: Beside the vertical axis.
        x_range: Least and greatest value.
        y_range: Least and greatest value.
        x_ticks: Values with a tick, and what to write there.
        y_ticks: The same for the vertical axis.
        log_x: Whether the horizontal axis is logarithmic.
    """

    def __init__(
        self,
        title: str,
        x_label: str,
        y_label: str,
        x_range: tuple[float, float],
        y_range: tuple[float, float] = (0.0, 1.0),
        x_ticks: Sequence[tuple[float, str]] | None = None,
        y_ticks: Sequence[tuple[float, str]] | None = None,
        log_x: bool = False,
    ) -> None:
        self.title, self._parts = title, list[str]()
        bend: Callable[[float], float] = math.log if log_x else float
        low, high = bend(x_range[0]), bend(x_range[1])
        self._x_range, self._bend = x_range, bend
        self._x_scale = (WIDTH - _LEFT - _RIGHT) / ((high - low) or 1), low
        self._y_scale = (HEIGHT - _TOP - _BOTTOM) / ((y_range[1] - y_range[0]) or 1), y_range[0]
        self._axes(x_label, y_label, x_ticks or nice_ticks(*x_range), y_ticks or nice_ticks(*y_range))

    def x(self, value: float) -> float:
        """Horizontal position of a value."""
        inside = min(max(value, self._x_range[0]), self._x_range[1])
        return round(_LEFT + (self._bend(inside) - self._x_scale[1]) * self._x_scale[0], 1)

    def y(self, value: float) -> float:
        """Vertical position of a value."""
        return round(HEIGHT - _BOTTOM - (value - self._y_scale[1]) * self._y_scale[0], 1)

    def line(self, points: Points, color: str, dashed: bool = False, steps: bool = False) -> None:
        """Draw a line through points, or a staircase."""
        places = [(self.x(x), self.y(y)) for x, y in points]
        if not places:
            return
        path = f"M{places[0][0]} {places[0][1]}"
        path += "".join(f"H{x}V{y}" if steps else f"L{x} {y}" for x, y in places[1:])
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')

    def band(self, points: Sequence[tuple[float, float, float]], color: str) -> None:
        """Shade between a lower and an upper value."""
        there = " ".join(f"{self.x(x)},{self.y(low)}" for x, low, _ in points)
        back = " ".join(f"{self.x(x)},{self.y(high)}" for x, _, high in reversed(points))
        self._parts.append(f'<polygon points="{there} {back}" fill="{color}" fill-opacity=".15"/>')

    def dots(
        self, points: Points, color: str, names: Sequence[str] = (), radius: float = 4, hollow: bool = False
    ) -> None:
        """Draw points; a name shows when the mouse rests on one."""
        fill = (
            f'fill="none" stroke="{color}" stroke-width="1.6"'
            if hollow
            else f'fill="{color}" fill-opacity=".75"'
        )
        for index, (x, y) in enumerate(points):
            name = f"<title>{escape(names[index])}</title>" if index < len(names) else ""
            self._parts.append(
                f'<circle cx="{self.x(x)}" cy="{self.y(y)}" r="{radius}" {fill}>{name}</circle>'
            )

    def bar(self, low: float, high: float, value: float, color: str, name: str = "") -> None:
        """Draw a column from 0 to a value."""
        left, right, top, foot = self.x(low), self.x(high), self.y(value), self.y(0)
        self._parts.append(
            f'<rect x="{left + 1}" y="{top}" width="{max(1.0, round(right - left - 2, 1))}" '
            f'height="{round(foot - top, 1)}" rx="1.5" fill="{color}"><title>{escape(name)}</title></rect>'
        )

    def mark(self, value: float, text: str, color: str = ORANGE) -> None:
        """Draw a vertical line with a word at its head."""
        x, right = self.x(value), self.x(value) > WIDTH * 0.7
        self._parts.append(
            f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="{color}" '
            f'stroke-width="1.5" stroke-dasharray="4 3"/>'
            f'<text x="{x + (-5 if right else 5)}" y="{_TOP + 11}" fill="{color}" '
            f'text-anchor="{"end" if right else "start"}">{escape(text)}</text>'
        )

    def svg(self) -> Markup:
        """The finished chart."""
        return Markup(  # noqa: S704 - every text in it was escaped
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f"{''.join(self._parts)}</svg>"
        )

    def _axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
    ) -> None:
        right, foot = WIDTH - _RIGHT, HEIGHT - _BOTTOM
        for value, text in y_ticks:
            y = self.y(value)
            self._parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
                f'<text x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{escape(text)}</text>'
            )
        for value, text in x_ticks:
            x = self.x(value)
            self._parts.append(
                f'<line class="tick" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 4}"/>'
                f'<text x="{x}" y="{foot + 17}" text-anchor="middle">{escape(text)}</text>'
            )
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + foot) / 2
        self._parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{foot}" y2="{foot}"/>'
            f'<text class="label" x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escape(x_label)}</text>"
            f'<text class="label" transform="translate(14 {middle_y}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>"
        )


def nice_ticks(low: float, high: float, count: int = 5) -> list[tuple[float, str]]:
    """Round values between two others, about as many as asked for."""
    span = (high - low) or 1.0
    raw = span / count
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if step / unit == 2.5 else 0))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [(index * step, f"{index * step:.{digits}f}") for index in range(first, last + 1)]


def interval_bar(low: float | None, value: float | None, high: float | None, most: float = 1.0) -> Markup:
    """A figure and its interval as a line with a dot, from 0 to `most`; for use in tables."""
    if value is None:
        return Markup("")
    width, inner = 120, 112

    def place(one: float) -> float:
        return round(4 + inner * min(max(one / most, 0.0), 1.0), 1)

    span = ""
    if low is not None and high is not None:
        span = (
            f'<line x1="{place(low)}" x2="{place(high)}" y1="8" y2="8" stroke="{BLUE}" stroke-width="3" '
            'opacity=".45"/>'
        )
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="interval" viewBox="0 0 {width} 16" aria-hidden="true">'
        f'<line class="axis" x1="4" x2="{4 + inner}" y1="8" y2="8"/>{span}'
        f'<circle cx="{place(value)}" cy="8" r="4" fill="{BLUE}"/></svg>'
    )
