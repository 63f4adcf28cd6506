"""Figures of a paper as vector files, SVG and PDF, at the widths of journal columns.

Colours are those of Okabe & Ito (2008), letters are 7 points high, and text stays text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.evaluation.scores.froc import RATES
from flexunet.files import write_bytes
from flexunet.reporting.facts import RunFacts
from flexunet.reporting.flow import flow_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SINGLE_MM, DOUBLE_MM = 88.0, 178.0
_INCH, _FLOW_MM = 25.4, 80.0
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#8A94A0"
_STYLE: Any = {
    "font.size": 7, "axes.titlesize": 7, "axes.labelsize": 7, "xtick.labelsize": 6.5, "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5, "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "DejaVu Sans"],
    "svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "flexunet", "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.6, "lines.linewidth": 1.2,
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A figure that was written.

    Attributes:
        name: File name without its ending.
        caption: What it shows, for the paper.
        svg: The picture.
        width_mm: Its width.
    """

    name: str
    caption: str
    svg: str
    width_mm: float


@dataclass(frozen=True)
class _Figure:
    name: str
    caption: str
    width_mm: float
    height_mm: float
    draw: Callable[[Axes, RunFacts], bool]


def write_figures(folder: Path, facts: RunFacts) -> list[Drawn]:
    """Draw what the facts carry, each as SVG and PDF.

    Args:
        folder: Where; made if missing.
        facts: The facts.

    Returns:
        The figures; one that the facts do not carry is left out.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as New

    drawn = []
    with mpl.rc_context(_STYLE):
        for row in _FIGURES:
            figure = New(figsize=(row.width_mm / _INCH, row.height_mm / _INCH), layout="constrained")
            FigureCanvasAgg(figure)
            if not row.draw(figure.add_subplot(), facts):
                continue
            for ending in ("svg", "pdf"):
                write_bytes(folder / f"{row.name}.{ending}", _saved(figure, ending))
            svg = (folder / f"{row.name}.svg").read_text(encoding="utf-8")
            drawn.append(Drawn(row.name, row.caption, svg[svg.index("<svg") :], row.width_mm))
    return drawn


def _saved(figure: Figure, ending: str) -> bytes:
    stream = BytesIO()
    # No date, so that the same run gives the same file.
    dated = {"Date": None} if ending == "svg" else {"CreationDate": None}
    figure.savefig(stream, format=ending, metadata=dated)
    return stream.getvalue()


def _flow(axes: Axes, facts: RunFacts) -> bool:
    flow = flow_of(facts)
    top = 100 if flow.entered is not None else 58
    if (figure := axes.get_figure(root=True)) is not None:
        figure.set_figheight(_FLOW_MM * top / 100 / _INCH)
    axes.set(xlim=(0, 100), ylim=(0, top))
    axes.axis("off")
    if flow.entered is not None:
        _box(axes, 50, 90, flow.entered)
        _box(axes, 82, 70, flow.left_out, fine=True)
        _line(axes, (50, 90), (50, 48))
        _line(axes, (50, 70), (82, 70))
    _box(axes, 50, 48, flow.used)
    places = np.linspace(16, 84, len(flow.splits)) if len(flow.splits) > 1 else [50.0]
    _line(axes, (places[0], 29), (places[-1], 29))
    _line(axes, (50, 48), (50, 29))
    for place, lines in zip(places, flow.splits, strict=True):
        _line(axes, (place, 29), (place, 12))
        _box(axes, place, 12, lines)
    return bool(flow.splits)


def _box(axes: Axes, x: float, y: float, lines: list[str], fine: bool = False) -> None:
    """A box of the flow around its lines, in units of the axes: a hundredth of the width, and of 80 mm.

    Each line is a text of its own, so that it is centred in whatever font a reader has.
    """
    from matplotlib.patches import Rectangle

    size = 5.5 if fine else 7.0
    width = 2.4 + 0.105 * size * max(map(len, lines))
    step = 0.6 * size
    height = step * len(lines) + 3
    axes.add_patch(
        Rectangle(
            (x - width / 2, y - height / 2), width, height, facecolor="white", edgecolor="black", lw=0.6
        )
    )
    for place, line in enumerate(lines):
        middle = y + step * ((len(lines) - 1) / 2 - place) + 0.06 * size
        axes.text(x, middle, line, ha="center", va="center_baseline", fontsize=size)


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A line of the flow; the boxes at its ends lie over it."""
    axes.plot([start[0], end[0]], [start[1], end[1]], color="black", lw=0.6, zorder=0)


def _froc(axes: Axes, facts: RunFacts) -> bool:
    lesions = facts.scores.lesions
    if not lesions.froc or lesions.scored_by != "probability":
        return False
    axes.step(
        [point.false_positives_per_image for point in lesions.froc],
        [point.sensitivity for point in lesions.froc],
        where="post", color=_BLUE,
    )  # fmt: skip
    known = [
        (one.false_positives_per_image, one.sensitivity.low, one.sensitivity.high)
        for one in lesions.froc_sensitivity
        if one.sensitivity.low is not None
    ]
    if known:
        rates, low, high = zip(*known, strict=True)
        axes.fill_between(rates, low, high, color=_BLUE, alpha=0.15, lw=0)
    axes.plot(lesions.false_positives_per_image.value, lesions.sensitivity.value, "o", color=_ORANGE, ms=4)
    axes.set(xscale="log", xlim=(RATES[0] / 2, RATES[-1] * 2), ylim=(0, 1))
    axes.set_xticks(RATES, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set(xlabel="False positives per image", ylabel="Lesion sensitivity")
    return True


def _reliability(axes: Axes, facts: RunFacts) -> bool:
    probability = facts.scores.probability
    if probability is None:
        return False
    axes.plot([0, 1], [0, 1], color=_GREY, ls="--", lw=0.8)
    curves = (
        (probability.pixels_in_play, _BLUE, "as the model gives them"),
        (probability.after_fit, _GREEN, "after temperature scaling"),
    )
    for part, color, name in curves:
        if part is not None:
            points = [
                (one.mean_probability, one.foreground_share)
                for one in part.bins
                if one.mean_probability is not None
            ]
            axes.plot(*zip(*points, strict=True), "o-", color=color, ms=2.5, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Predicted probability", ylabel="Share that is lesion")
    axes.legend(frameon=False, loc="upper left")
    return True


def _decision(axes: Axes, facts: RunFacts) -> bool:
    curve = [one for one in facts.scores.lesions.decision_curve if one.net_benefit.value is not None]
    if not curve:
        return False
    thresholds = [one.threshold for one in curve]
    values = [one.net_benefit.value or 0.0 for one in curve]
    low, high = (
        [
            value if (end := getattr(one.net_benefit, name)) is None else end
            for value, one in zip(values, curve, strict=True)
        ]
        for name in ("low", "high")
    )
    axes.fill_between(thresholds, low, high, color=_BLUE, alpha=0.15, lw=0)
    axes.plot(thresholds, values, color=_BLUE, label="by the model")
    axes.plot(thresholds, [one.net_benefit_of_all for one in curve], color=_GREY, label="every image")
    axes.axhline(0, color=_GREY, ls="--", lw=0.8, label="no image")
    top = max(*values, *high, curve[0].net_benefit_of_all, 0.05)
    axes.set(xlim=(0, 1), ylim=(-top / 2, top * 1.05), xlabel="Threshold probability", ylabel="Net benefit")
    axes.legend(frameon=False, loc="lower left")
    return True


def _dice_by_size(axes: Axes, facts: RunFacts) -> bool:
    tables = facts.tables
    dice = tables.by_image()["dice"]
    share = tables.truth[:, 1:].sum(axis=1) / tables.sizes.prod(axis=1)
    known = (share > 0) & ~np.isnan(dice)
    if not known.any():
        return False
    axes.plot(100 * share[known], dice[known], "o", color=_BLUE, ms=3, alpha=0.7, mew=0)
    axes.set(
        xscale="log", ylim=(0, 1), xlabel="Share of the image that is lesion (%)", ylabel="Dice per image"
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return True


def _subgroups(axes: Axes, facts: RunFacts) -> bool:
    rows = [
        (f"{column.column}: {group.value} ({group.images})", group["dice_per_image_mean"])
        for column in facts.scores.subgroups
        for group in column.groups
        if group["dice_per_image_mean"].value is not None
    ]
    if not rows:
        return False
    for place, (_, one) in enumerate(rows):
        if one.low is not None:
            axes.plot([one.low, one.high], [place, place], color=_BLUE, lw=1)
        axes.plot(one.value, place, "s", color=_BLUE, ms=3)
    overall = facts.scores.foreground.dice_per_image_mean.value
    axes.axvline(overall, color=_GREY, ls="--", lw=0.8)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=5.5 if len(rows) > 14 else 6.5)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="Dice per image, mean (interval)")
    return True


_FIGURES = (
    _Figure("flow", "Flow of films: those left out with the reason, and the images of each split.",
            DOUBLE_MM, _FLOW_MM, _flow),
    _Figure("froc", "Free-response ROC curve with its interval. Dot: the predicted masks as they are.",
            SINGLE_MM, 66, _froc),
    _Figure("reliability", "Reliability curve of pixels with a lesion probability of at least 1 %.",
            SINGLE_MM, 66, _reliability),
    _Figure("decision", "Decision curve: net benefit of following up images by the model, with its interval.",
            SINGLE_MM, 66, _decision),
    _Figure("dice_by_size", "Dice of each test image against the share of the image that is lesion.",
            SINGLE_MM, 66, _dice_by_size),
    _Figure("subgroups", "Mean Dice per image by subgroup, with intervals and numbers of images.",
            DOUBLE_MM, 84, _subgroups),
)  # fmt: skip
