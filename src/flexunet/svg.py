"""Charts as inline SVG: no script, no font, no network; sharp at any width, readable by screen readers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

from markupsafe import Markup

# The first two are variables of the page, which has others for dark screens.
BLUE, ORANGE, GREEN, GREY = "var(--blue)", "var(--orange)", "#009e73", "#8a94a0"
Points = Sequence[tuple[float, float]]
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Frame:
    """Size of a chart and its margins, in units of its `viewBox`."""

    width: int = 440
    height: int = 300
    left: int = 52
    right: int = 20  # half of a label such as "100 %"
    top: int = 12
    bottom: int = 46


FRAME = Frame()
_LETTER, _LINE = 7.4, 13  # mean width of a letter, and height of a line, at 12 px in a wide font
_GAP, _LABEL = 7, 20  # between a label and its axis; room of the label beside the vertical axis


Box = tuple[float, float, float, float]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def text_width(text: str) -> float:
    """About how wide a text of a chart is, in units of its `viewBox`."""
    return _LETTER * len(text)


class Chart:
    """One chart under construction.

    Args:
        title: What it shows, for screen readers.
        x_label: Under the horizontal axis; empty for none.
        y_label: Beside the vertical axis; empty for none.
        x_range: Least and greatest value.
        y_range: Least and greatest value.
        x_ticks: Values with a tick, and what to write there.
        y_ticks: The same for the vertical axis.
        log_x: Whether the horizontal axis is logarithmic.
        log_y: Whether the vertical axis is logarithmic.
        frame: Size and margins; the left one grows with the labels of the vertical axis.

    Labels never collide: of ticks that would, the later one has none, and marks move down.
    """

    def __init__(
        self,
        title: str,
        x_label: str,
        y_label: str,
        x_range: tuple[float, float],
        y_range: tuple[float, float] = (0.0, 1.0),
        x_ticks: Ticks | None = None,
        y_ticks: Ticks | None = None,
        log_x: bool = False,
        log_y: bool = False,
        frame: Frame = FRAME,
    ) -> None:
        y_ticks = y_ticks or nice_ticks(*y_range)
        widest = max((text_width(text) for _, text in y_ticks), default=0)
        left = math.ceil(widest) + _GAP + (_LABEL if y_label else 2)
        frame = replace(frame, left=max(frame.left, left))
        self.title, self.frame, self._parts = title, frame, list[str]()
        self._x_range, self._labels = x_range, list[Box]()
        self._across = _scale(x_range, frame.left, frame.width - frame.right, log_x)
        self._up = _scale(y_range, frame.height - frame.bottom, frame.top, log_y)
        self._axes(x_label, y_label, x_ticks or nice_ticks(*x_range), y_ticks)

    def x(self, value: float) -> float:
        """Horizontal position of a value; one outside the range is drawn at its end."""
        return self._across(min(max(value, self._x_range[0]), self._x_range[1]))

    def y(self, value: float) -> float:
        """Vertical position of a value."""
        return self._up(value)

    def line(self, points: Points, color: str, dashed: bool = False, steps: bool = False) -> None:
        """Draw a line through points, or a staircase; a point that is no number is left out."""
        places = [(self.x(x), self.y(y)) for x, y in points if math.isfinite(y)]
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

    def mark(self, value: float, text: str = "", color: str = ORANGE, dash: str = "4 3") -> None:
        """Draw a dashed vertical line with a word at its head."""
        x, right = self.x(value), self.x(value) > self.frame.width * 0.7
        self._parts.append(
            f'<line x1="{x}" x2="{x}" y1="{self.frame.top}" y2="{self._foot}" stroke="{color}" '
            f'stroke-width="1.5" stroke-dasharray="{dash}"/>'
        )
        y, anchor = self.frame.top + 11, "end" if right else "start"
        while text and y < self._foot and not self._label(x + (-5 if right else 5), y, text, anchor, color):
            y += _LINE

    def cursor(self, value: float) -> None:
        """Draw a vertical line of the class `here`, which a page moves."""
        x = self.x(value)
        self._parts.append(
            f'<line class="here" x1="{x}" x2="{x}" y1="{self.frame.top - 4}" y2="{self._foot}"/>'
        )

    def svg(self, **told: float) -> Markup:
        """The finished chart; `told` become `data-` attributes for the script of a page."""
        told_text = "".join(f' data-{name}="{value}"' for name, value in told.items())
        return Markup(  # noqa: S704 - every text in it was escaped
            f'<svg class="chart" viewBox="0 0 {self.frame.width} {self.frame.height}" role="img" '
            f'aria-label="{escape(self.title)}"{told_text}>{"".join(self._parts)}</svg>'
        )

    def _label(self, x: float, y: float, text: str, anchor: str, color: str = "") -> bool:
        """Write a text unless it would lie on another one; whether it was written."""
        width = text_width(text)
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        inside = max(0.0, min(left, self.frame.width - width))
        left, x = inside, x + inside - left
        box = left, y - _LINE + 3, left + width, y + 3
        if any(_overlap(box, other) for other in self._labels):
            return False
        self._labels.append(box)
        fill = f' fill="{color}"' if color else ""
        self._parts.append(
            f'<text x="{round(x, 1)}" y="{round(y, 1)}"{fill} text-anchor="{anchor}">{escape(text)}</text>'
        )
        return True

    @property
    def _foot(self) -> int:
        return self.frame.height - self.frame.bottom

    def _axes(self, x_label: str, y_label: str, x_ticks: Ticks, y_ticks: Ticks) -> None:
        left, right, foot = self.frame.left, self.frame.width - self.frame.right, self._foot
        for value, text in y_ticks:
            y = self.y(value)
            self._parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
            self._label(left - _GAP, y + 4, text, "end")
        for value, text in x_ticks:
            x = self.x(value)
            self._parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 4}"/>')
            self._label(x, foot + 17, text, "middle")
        self._parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{foot}" y2="{foot}"/>')
        if x_label:
            self._parts.append(
                f'<text class="label" x="{(left + right) / 2}" y="{self.frame.height - 8}" '
                f'text-anchor="middle">{escape(x_label)}</text>'
            )
        if y_label:
            middle = (self.frame.top + foot) / 2
            self._parts.append(
                f'<text class="label" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
                f"{escape(y_label)}</text>"
            )


def _scale(ends: tuple[float, float], start: int, stop: int, log: bool) -> Callable[[float], float]:
    """From values to places, so that the ends of the range lie at `start` and `stop`."""
    bend: Callable[[float], float] = math.log if log else float
    low, high = bend(ends[0]), bend(ends[1])
    step = (stop - start) / ((high - low) or 1)
    return lambda value: round(start + (bend(value) - low) * step, 1)


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


def power_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """1, 2 and 5 times powers of ten between two values; powers of ten alone where those are many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**power for power in exponents for factor in factors]
        values = [value for value in values if low <= value <= high]
        if len(values) <= most:
            break
    return [(value, f"{value:.3g}") for value in values]


def whole_ticks(low: int, high: int, count: int = 5) -> list[tuple[float, str]]:
    """Round whole numbers between two others."""
    return [(value, f"{value:.0f}") for value, _ in nice_ticks(low, high, count) if value == round(value)]


def interval_bar(low: float | None, value: float | None, high: float | None, most: float = 1.0) -> Markup:
    """A value and its interval as a line with a dot, from 0 to `most`; for use in tables."""
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


def prose(text: str) -> Markup:
    """A sentence as HTML: escaped, and what stands between backticks is code.

    >>> prose("Use `split` & <b>")
    Markup('Use <code>split</code> &amp; &lt;b&gt;')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704 - escaped before
