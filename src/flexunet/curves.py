"""The curves of a run as charts for pages that need no other file, training and validation in one."""

from __future__ import annotations

import math

from flexunet.svg import BLUE, FRAME, ORANGE, Chart, Frame, nice_ticks, power_ticks, whole_ticks

SMALL = Frame(width=420, height=190, left=46, right=12, top=12, bottom=26)
_FEW = 30  # epochs that have a dot each
_STEEP = 20


def curve_names(curves: dict[str, list[float]]) -> list[str]:
    """Names of the curves, the loss first, then what looks at lesions alone; no learning rate, no twins."""
    names = [name for name in curves if name != "lr" and not name.startswith("val_")]
    return sorted(names, key=lambda name: (name != "loss", "foreground" not in name))


def curve_chart(
    name: str, curves: dict[str, list[float]], frame: Frame = FRAME, labelled: bool = True
) -> Chart | None:
    """Chart of a curve on training images, and dashed on validation images; None without a finite value.

    Args:
        name: The curve; that on validation images is `val_` and the name.
        curves: Values of the epochs by name.
        frame: Size and margins.
        labelled: Whether the axes have labels, and curves on a linear axis some room above and below.
    """
    shown = {key: curves[key] for key in (name, f"val_{name}") if curves.get(key)}
    finite = [value for values in shown.values() for value in values if math.isfinite(value)]
    if not finite:
        return None
    epochs = max(len(values) for values in shown.values())
    low, high = min(finite), max(finite)
    # A loss falls by orders of magnitude: on a linear axis all but the first epochs would lie on the floor.
    log = name == "loss" and low > 0 and high / low > _STEEP
    if high - low < 1e-9:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    room = 0.05 * (high - low) if labelled and not log else 0.0
    low, high = low - room, high + room
    chart = Chart(
        f"{name} by epoch",
        "epoch" if labelled else "",
        name if labelled else "",
        (1, max(2, epochs)),
        (low, high),
        x_ticks=whole_ticks(1, max(1, epochs)),
        y_ticks=power_ticks(low, high) if log else nice_ticks(low, high, 4),
        log_y=log,
        frame=frame,
    )
    for key, values in shown.items():
        validation = key != name
        points = [(float(epoch), value) for epoch, value in enumerate(values, start=1)]
        chart.line(points, ORANGE if validation else BLUE, dashed=validation)
        if epochs <= _FEW:
            known = [point for point in points if math.isfinite(point[1])]
            chart.dots(known, ORANGE if validation else BLUE, radius=2.6)
    return chart
