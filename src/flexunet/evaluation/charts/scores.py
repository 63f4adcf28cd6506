"""The charts of the report: which scores go into which chart."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from flexunet.errors import counted
from flexunet.evaluation.scores.froc import RATES
from flexunet.evaluation.tables.document import LesionScores, ProbabilityScores, Reliability, Scores
from flexunet.evaluation.tables.rows import Tables
from flexunet.svg import BLUE, GREEN, GREY, ORANGE, Chart, whole_ticks

_RATE_LABELS = ("⅛", "¼", "½", "1", "2", "4", "8")
_LEAST_RATE, _MOST_RATE = 0.0625, 16.0
_BINS = 20


def dice_histogram(tables: Tables, scores: Scores) -> Markup:
    """How `dice_per_image` is spread over the images."""
    dice = tables.by_image()["dice"]
    counts, edges = np.histogram(dice[~np.isnan(dice)], bins=_BINS, range=(0, 1))
    top = max(4, int(counts.max()) + 1)
    chart = Chart(
        "Histogram of dice_per_image",
        "dice_per_image",
        "images",
        (0, 1),
        (0, top),
        y_ticks=whole_ticks(0, top),
    )
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            name = f"{low:.2f} to {high:.2f}: {counted(int(count), 'image')}"
            chart.bar(float(low), float(high), int(count), BLUE, name)
    mean = scores.foreground.dice_per_image_mean.value
    if mean is not None:
        chart.mark(mean, f"mean {mean:.3f}")
    return chart.svg()


def dice_by_size(tables: Tables) -> Markup | None:
    """`dice_per_image` against the foreground of the image; None without any lesion."""
    dice, area = tables.by_image()["dice"], tables.truth[:, 1:].sum(axis=1)
    share = area / tables.sizes.prod(axis=1)
    inside = (area > 0) & ~np.isnan(dice)
    if not inside.any():
        return None
    low, high = np.floor(np.log10(share[inside].min())), np.ceil(np.log10(share[inside].max()))
    powers = np.arange(low, max(high, low + 1) + 1)
    ticks = [(10**power, f"{100 * 10**power:g} %") for power in powers]
    chart = Chart(
        "dice_per_image against lesion area",
        "share of the image that is lesion",
        "dice_per_image",
        (ticks[0][0], ticks[-1][0]),
        x_ticks=ticks,
        log_x=True,
    )
    names = [f"{tables.origins[k].name}: {dice[k]:.3f}, {area[k]} pixels" for k in np.flatnonzero(inside)]
    chart.dots([(float(share[k]), float(dice[k])) for k in np.flatnonzero(inside)], BLUE, names)
    return chart.svg()


def froc_chart(lesions: LesionScores) -> Markup | None:
    """Sensitivity against false positives per image; a single point for hard masks."""
    if not lesions.froc:
        return None
    ticks = list(zip(RATES, _RATE_LABELS, strict=True))
    rate, sensitivity = lesions.false_positives_per_image.value, lesions.sensitivity.value
    most = max(_MOST_RATE, 2 * (rate or 0))
    further = 4 * RATES[-1]
    while further <= most:
        ticks.append((further, f"{further:g}"))
        further *= 4
    chart = Chart(
        "FROC curve",
        "false positives per image",
        "sensitivity",
        (_LEAST_RATE, most),
        x_ticks=ticks,
        log_x=True,
    )
    if lesions.scored_by == "probability":
        intervals = [
            (one.false_positives_per_image, one.sensitivity.low, one.sensitivity.high)
            for one in lesions.froc_sensitivity
            if one.sensitivity.low is not None and one.sensitivity.high is not None
        ]
        chart.band(
            [(x, low, high) for x, low, high in intervals if low is not None and high is not None], BLUE
        )
        curve = [(point.false_positives_per_image, point.sensitivity) for point in lesions.froc]
        before = max((y for x, y in curve if x <= _LEAST_RATE), default=0.0)
        inside = [(x, y) for x, y in curve if x > _LEAST_RATE]
        last = inside[-1][1] if inside else before
        chart.line([(_LEAST_RATE, before), *inside, (most, last)], BLUE, steps=True)
    if rate is not None and sensitivity is not None:
        name = f"predicted masks: {sensitivity:.3f} at {rate:.2f} false positives per image"
        chart.dots([(rate, sensitivity)], ORANGE, [name], radius=6)
    return chart.svg()


def decision_chart(lesions: LesionScores) -> Markup | None:
    """Net benefit of images against the threshold, beside following up all and none; None without a curve."""
    curve = lesions.decision_curve
    known = [(one.threshold, one.net_benefit.value) for one in curve if one.net_benefit.value is not None]
    if not known:
        return None
    ends = [one.net_benefit.high or 0.0 for one in curve]
    top = max(0.05, *(value for _, value in known), *ends, curve[0].net_benefit_of_all)
    low = -top / 2
    chart = Chart(
        "Decision curve",
        "probability from which an image is followed up",
        "net benefit",
        (0, 1),
        (low, top * 1.1),
    )
    everyone = [(one.threshold, one.net_benefit_of_all) for one in curve if one.net_benefit_of_all >= low]
    chart.line(everyone, GREY)
    chart.line([(0, 0), (1, 0)], GREY, dashed=True)
    intervals = [
        (one.threshold, max(low, one.net_benefit.low), one.net_benefit.high)
        for one in curve
        if one.net_benefit.low is not None and one.net_benefit.high is not None
    ]
    chart.band([one for one in intervals if one[2] >= low], BLUE)
    inside = [(x, y) for x, y in known if y >= low]
    chart.line(inside, BLUE)
    chart.dots(inside, BLUE, [f"at {x:.2f}: {y:.3f}" for x, y in inside], radius=3)
    return chart.svg()


def reliability_chart(probability: ProbabilityScores) -> Markup:
    """Share of foreground against probability, pixels in play."""
    chart = Chart(
        "Reliability curve", "predicted probability of foreground", "share that is foreground", (0, 1)
    )
    chart.line([(0, 0), (1, 1)], GREY, dashed=True)
    for part, color in ((probability.pixels_in_play, BLUE), (probability.after_fit, GREEN)):
        if part is not None:
            points, names = _curve(part)
            chart.line(points, color)
            chart.dots(points, color, names)
    return chart.svg()


def _curve(part: Reliability) -> tuple[list[tuple[float, float]], list[str]]:
    points, names = [], []
    for one in part.bins:
        if one.mean_probability is not None and one.foreground_share is not None:
            points.append((one.mean_probability, one.foreground_share))
            names.append(
                f"{one.mean_probability:.3f} said, {one.foreground_share:.3f} true, {one.pixels} pixels"
            )
    return points, names
