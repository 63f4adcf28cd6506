"""The callbacks of a run, in their order, and what they know of it at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import counted
from flexunet.inference.predict.predictor import Predictor
from flexunet.progress import Progress
from flexunet.run_folder import STOP_FILE, RunFolder
from flexunet.training.follow.callbacks import (
    BestCheckpoint,
    EarlyStopping,
    ReduceLearningRate,
    ShowProgress,
    StopFile,
    StopOnNaN,
    WriteHistory,
    epoch_predictions,
)
from flexunet.training.follow.following import following
from flexunet.training.follow.history import History, metric_curves
from flexunet.training.objectives.named import is_lower_better
from flexunet.training.processes.distribution import Team
from flexunet.training.processes.leading import LeaderPredictor, SameFigures

if TYPE_CHECKING:
    from flexunet.config.schema import Config


class RunCallbacks:
    """Makes them, as configured.

    Args:
        config: The configuration.
        model: The model that is trained.
        team: The processes that train it.
        validated: Whether there are validation images.
        steps: Training steps per epoch.
        images_of: Gives the image files of a step of the present epoch.
        goes_on: Whether the run goes on from a checkpoint.
        notes: Get a sentence for each thing that is not done as configured.
        own: Callbacks of the caller's own, told last.

    Attributes:
        monitor: The figure that tells how good an epoch is.
        history: Figures of the epochs.
        best: Knows the best epoch.
        in_order: All of them.
    """

    def __init__(
        self,
        config: Config,
        model: keras.Model,
        team: Team,
        *,
        validated: bool,
        steps: int,
        images_of: Callable[[int], list[Path]],
        goes_on: bool,
        notes: list[str],
        own: Sequence[keras.callbacks.Callback] = (),
    ):
        train = config.train
        self.config = config
        self.monitor = train.monitor if validated else train.monitor.removeprefix("val_")
        lower_is_better = is_lower_better(self.monitor)
        self.history = History(
            config.output(train.eval_dir),
            metric_curves(config, validated),
            team.leads,
            monitor=self.monitor,
            lower_is_better=lower_is_better,
        )
        self.best = BestCheckpoint(
            RunFolder.of(config).best_model, self.monitor, lower_is_better=lower_is_better, writes=team.leads
        )
        self._stop_file = StopFile(RunFolder.of(config).stop_file, team.agree)
        watching: dict[str, Any] = {
            "monitor": self.monitor,
            "mode": "min" if lower_is_better else "max",
            "start_from_epoch": -(-train.min_steps // steps),
        }
        self._early_stopping = EarlyStopping(patience=train.patience, min_delta=train.min_delta, **watching)
        self.in_order: list[keras.callbacks.Callback] = [
            SameFigures(team),
            StopOnNaN(self.best.path, images_of),
            self.best,
        ]
        if train.learning_rate_reducer:
            reducer = ReduceLearningRate(
                factor=train.reducer_factor, patience=train.reducer_patience, **watching
            )
            self.in_order.append(reducer)
        # The history reads the learning rate when an epoch begins, so it may stand behind the reducer.
        self.in_order.append(WriteHistory(self.history))
        if team.leads:
            alone = team.processes == 1
            predictor = Predictor(model, config, plain=True) if alone else LeaderPredictor(model, config)
            predicted = epoch_predictions(predictor, notes)
            followers = following(config, predicted, self.history, self.best, goes_on=goes_on, notes=notes)
            self.in_order += [*predicted, *followers]
        self.in_order += [self._early_stopping, self._stop_file, *own]

    def show(self, progress: Progress, steps: int) -> None:
        """Show the run, whose epochs have so many steps, to whoever follows it."""
        train = self.config.train
        self.in_order.append(ShowProgress(progress, train.epochs, steps, train.batch_size, self.best))

    def ended(self) -> str:
        """Why the epoch that has just ended was the last one."""
        epochs = len(self.history.epochs["loss"])
        if self._stop_file.stopped:
            return f"stopped by {STOP_FILE} after epoch {epochs}"
        if self._early_stopping.stopped_epoch:
            waited = counted(self.config.train.patience, "epoch")
            return f"stopped early after epoch {epochs}: no better for {waited}"
        if epochs < self.config.train.epochs:
            return f"stopped by a callback after epoch {epochs}"
        return f"all {epochs} epochs"
