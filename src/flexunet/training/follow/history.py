"""The curves of a run, epoch by epoch: CSV and PNG as published, and history.json as real JSON."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.files import replacing, write_text
from flexunet.run_folder import HISTORY

if TYPE_CHECKING:
    from flexunet.config.schema import Config

LOSSES = ("loss", "val_loss")
# Okabe-Ito colours: told apart by colour-blind readers too.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Two pictures take a fifth of a second: as long as an epoch of a small model.
_SECONDS_BETWEEN_PICTURES = 5


class History:
    """Figures of every epoch so far, written after each.

    Pictures are drawn every few seconds; as a context, it ends with those of the last epoch, however it ends.

    Args:
        eval_dir: Folder of the curves.
        metrics: Names of the metric curves, each as Keras logs it (`dice_coef_multiclass`,
            `val_dice_coef_multiclass`).
        writes: Whether there are files, or only the figures.
        monitor: The figure by which the best epoch is chosen, which the curves mark.
        lower_is_better: Whether that is the epoch of its lowest value.
    """

    def __init__(
        self,
        eval_dir: Path,
        metrics: Sequence[str],
        writes: bool = True,
        *,
        monitor: str = "val_loss",
        lower_is_better: bool = True,
    ):
        self.eval_dir = eval_dir
        self.metrics = list(metrics)
        self.writes = writes
        self.monitor = monitor
        self.lower_is_better = lower_is_better
        self.epochs: dict[str, list[float]] = {}
        self._drawn_at = time.monotonic()
        self._is_drawn = True

    @property
    def best_epoch(self) -> int | None:
        """The first epoch with the best value of the monitored figure, from 1; None without a finite one."""
        worst = math.inf if self.lower_is_better else -math.inf
        values = [value if math.isfinite(value) else worst for value in self.epochs.get(self.monitor, [])]
        best = (min if self.lower_is_better else max)(values, default=worst)
        return None if best == worst else values.index(best) + 1

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A disk that is full must not hide what went wrong first.
        with suppress(OSError) if kind else nullcontext():
            self.draw()

    def append(self, figures: dict[str, float]) -> None:
        """Add the figures of one epoch and write the files anew, pictures now and then."""
        for name, value in figures.items():
            self.epochs.setdefault(name, []).append(float(value))
        self.write()
        if time.monotonic() - self._drawn_at >= _SECONDS_BETWEEN_PICTURES:
            self.draw()

    def restore(self, epochs: dict[str, list[float]]) -> None:
        """Go back to the figures of an earlier moment; files that say more than them are written anew."""
        self.epochs = {name: list(values) for name, values in epochs.items()}
        if self.epochs:
            self.write()

    def write(self) -> None:
        """Write the loss and metric curves as CSV, and `history.json` beside their folder.

        The latter also has `best_epoch`, so that its readers need not know by which figure it was chosen.
        """
        self._is_drawn = False
        if not self.writes:
            return
        write_text(self.eval_dir / "train_losses.csv", self._csv("epoch, loss, val_loss", LOSSES))
        header = "epoch," + "".join(f"{name}," for name in self.metrics)
        write_text(self.eval_dir / "train_metrics.csv", self._csv(header, self.metrics))
        told = {**self.epochs, "best_epoch": self.best_epoch}
        write_text(self.eval_dir.parent / HISTORY, json.dumps(told, indent=1) + "\n")

    def draw(self) -> None:
        """Draw the curves as PNG, where they are not those of the last epoch."""
        if self._is_drawn or not self.writes:
            return
        self._draw("train_losses.png", "loss", LOSSES)
        self._draw("train_metrics.png", "metric", self.metrics)
        if len(set(self.epochs.get("lr", []))) > 1:
            self._draw("learning_rate.png", "learning rate at the first update of the epoch", ["lr"])
        self._drawn_at, self._is_drawn = time.monotonic(), True

    def _csv(self, header: str, names: Sequence[str]) -> str:
        columns = [self.epochs[name] for name in names if name in self.epochs]
        rows = zip(*columns, strict=True)
        lines = [f"{epoch}, " + ", ".join(f"{value:.4f}" for value in row) for epoch, row in enumerate(rows)]
        return "\n".join([header, *lines]) + "\n"

    def _draw(self, file_name: str, label: str, names: Sequence[str]) -> None:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        # 800 x 600 pixels, as published.
        figure = Figure(figsize=(8, 6), dpi=100, layout="constrained")
        axes = figure.subplots()
        for index, name in enumerate(names):
            values = self.epochs.get(name, [])
            color = _COLORS[index % len(_COLORS)]
            axes.plot(range(1, len(values) + 1), values, label=name, marker=".", color=color)
        if self.monitor in names and (best := self.best_epoch):
            axes.axvline(best, color="#999999", linestyle=":", label=f"best epoch ({best})")
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        if names:
            axes.legend(frameon=False)
        with replacing(self.eval_dir / file_name) as temporary:
            figure.savefig(temporary, format="png")


def metric_curves(config: Config, validated: bool) -> list[str]:
    """Names of the metric curves that a run writes: those that are wanted, of those that are computed."""
    names = config.computed_metrics
    computed = [*names, *(f"val_{name}" for name in names if validated)]
    return [name for name in config.train.metrics if name in computed]
