"""What happens during a training run besides the steps: checkpoint, curves, predictions, stop file, bars."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from flexunet.data.images.files.listing import list_images
from flexunet.errors import DivergedError, PathError
from flexunet.inference.folder import write_epoch_predictions
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.weights.load import save_weights
from flexunet.training.deep_supervision import without_heads
from flexunet.training.follow.history import History
from flexunet.training.processes.distribution import undistributed

if TYPE_CHECKING:
    from flexunet.progress import Progress


_FEWEST_EPOCHS = 2  # of which one can be the best


class BestCheckpoint(keras.callbacks.Callback):
    """Save the model whenever the watched figure is the best so far; the file is whole at any moment."""

    # Attributes under this name, here and below, are kept in the checkpoint of a run.
    resumable = ("best", "best_epoch")

    def __init__(self, path: Path, monitor: str, *, lower_is_better: bool = True, writes: bool = True):
        super().__init__()
        self.path = path
        self.monitor = monitor
        self.lower_is_better = lower_is_better
        self.writes = writes
        self.best = math.inf if lower_is_better else -math.inf
        self.best_epoch: int | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = float((logs or {})[self.monitor])
        is_better = value < self.best if self.lower_is_better else value > self.best
        # A first epoch whose figure is no number is kept too: some model is better than none.
        if is_better or math.isnan(self.best) or self.best_epoch is None:
            if self.writes:
                with undistributed():
                    save_weights(without_heads(self.model), self.path)
            self.best, self.best_epoch = value, epoch + 1


def note_on_monitor(monitor: str, values: Sequence[float]) -> list[str]:
    """A note where the monitored figure was the same in every epoch, and could choose none.

    Args:
        monitor: Name of the figure.
        values: One an epoch.
    """
    distinct = {value for value in values if not math.isnan(value)}
    if len(values) < _FEWEST_EPOCHS or len(distinct) > 1:
        return []
    value = f"{distinct.pop():g}" if distinct else "no number"
    cure = "" if monitor == "val_loss" else ", or set [train] monitor = 'val_loss'"
    return [
        f"{monitor} was {value} in each of the {len(values)} epochs, so the epoch that is kept was chosen by "
        f"nothing: look whether the validation images hold every class{cure}."
    ]


class LateLoss:
    """The loss of the step before: a device has it ready while it computes the next step.

    Reading that of the step at hand would hold the device up after every step.
    """

    def __init__(self) -> None:
        self._pending: tuple[int, Any] | None = None

    def swap(self, step: int, logs: dict[str, Any] | None) -> tuple[int, float] | None:
        """Note the loss of a step as the engine has it; the step before and its loss, if there is one."""
        before = self.settle()
        if logs and "loss" in logs:
            self._pending = step, logs["loss"]
        return before

    def settle(self) -> tuple[int, float] | None:
        """The step that was noted and its loss, which is waited for; none if it was read already."""
        pending, self._pending = self._pending, None
        return None if pending is None else (pending[0], float(pending[1]))


class StopOnNaN(keras.callbacks.Callback):
    """End the run when the loss of a step is not a finite number, and say at which step.

    It is seen while the next step is computed, and before a checkpoint is written (`settle`).

    Args:
        kept: Where the best model lies.
        images_of: Gives the image files of a step of the present epoch.
    """

    reads_late = True

    def __init__(self, kept: Path, images_of: Callable[[int], list[Path]]):
        super().__init__()
        self.kept = kept
        self.images_of = images_of
        self.epoch = 0
        self._late = LateLoss()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(self._late.swap(batch, logs))

    def settle(self) -> None:
        """Look at the last step, too."""
        self._check(self._late.settle())

    def _check(self, step: tuple[int, float] | None) -> None:
        if step is None:
            return
        batch, loss = step
        if not math.isfinite(loss):
            saved = f"the best model is {self.kept}" if self.kept.is_file() else "none was saved"
            images = ", ".join(str(path) for path in self.images_of(batch))
            raise DivergedError(
                f"the loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}: expected a finite "
                f"number ({saved}). Lower [model] learning_rate or clipvalue, or set [model] input_normalize "
                f"= true; or look at the images of that step: {images}."
            )


class EarlyStopping(keras.callbacks.EarlyStopping):
    """End the run after some epochs that were no better; goes on counting where a stopped run left off."""

    resumable = ("wait", "best", "best_epoch", "stopped_epoch")


class ReduceLearningRate(keras.callbacks.ReduceLROnPlateau):
    """Lower the learning rate after some epochs that were no better; goes on counting likewise.

    Args:
        start_from_epoch: Epochs before this one, counted from 0, do not count.
        settings: As Keras's own.
    """

    resumable = ("wait", "best", "cooldown_counter")

    def __init__(self, *, start_from_epoch: int = 0, **settings: Any):
        super().__init__(**settings)
        self.start_from_epoch = start_from_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch >= self.start_from_epoch:
            super().on_epoch_end(epoch, logs)


class WriteHistory(keras.callbacks.Callback):
    """Write the curves after every epoch, with the learning rate it was trained at."""

    resumable = ("learning_rate", "figures")

    def __init__(self, history: History):
        super().__init__()
        self.history = history
        self.learning_rate = 0.0

    @property
    def figures(self) -> dict[str, list[float]]:
        """Figures of the epochs so far; setting them writes the curves as they were then."""
        return self.history.epochs

    @figures.setter
    def figures(self, epochs: dict[str, list[float]]) -> None:
        self.history.restore(epochs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Read before the reducer acts at the end of the epoch.
        self.learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: value for name, value in (logs or {}).items() if name != "learning_rate"}
        self.history.append({**figures, "lr": self.learning_rate})


class PredictEpoch(keras.callbacks.Callback):
    """Predict chosen images after every epoch.

    What an earlier run left in the folder goes once the first epoch of this one is there in its place.
    """

    def __init__(self, predictor: Predictor, images: list[Path], output_dir: Path, *, tiled: bool = False):
        super().__init__()
        self.predictor = predictor
        self.images = images
        self.output_dir = output_dir
        self.tiled = tiled
        self.stale = set(output_dir.glob("Epoch_*"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch > 0:
            # A run that goes on: what lies there is its own.
            self.stale = set()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        write_epoch_predictions(self.predictor, self.images, self.output_dir, epoch + 1, tiled=self.tiled)
        written = set(self.output_dir.glob(f"Epoch_{epoch + 1}_*"))
        for path in self.stale - written:
            path.unlink(missing_ok=True)
        self.stale = set()


class StopFile(keras.callbacks.Callback):
    """End the run after the current epoch when a file of this name appears, and take the file away.

    Args:
        path: The file.
        agreed: Whether something holds in any of the processes that train together.
    """

    def __init__(self, path: Path, agreed: Callable[[bool], bool] = bool):
        super().__init__()
        self.path = path
        self.agreed = agreed
        self.stopped = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # One left over from an earlier run must not stop this one.
        self.path.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.agreed(self.path.exists()):
            self.path.unlink(missing_ok=True)
            self.stopped = True
            self.model.stop_training = True


class ShowProgress(keras.callbacks.Callback):
    """Tell how far the run and the epoch are, with images per second and the best value so far.

    The loss beside a step is that of the step before.
    """

    reads_late = True

    def __init__(
        self, progress: Progress, epochs: int, steps: int, batch_size: int, checkpoint: BestCheckpoint
    ):
        super().__init__()
        self.progress = progress
        self.epochs = epochs
        self.steps = steps
        self.batch_size = batch_size
        self.checkpoint = checkpoint
        self.epoch = 0
        self.began = 0.0
        self.done = 0
        self._late = LateLoss()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._late.settle()
        self.progress("epochs", epoch, self.epochs)
        self.progress("steps", 0, self.steps, "")
        self.epoch = epoch
        # Other clocks of Windows stand still for 16 ms, in which a small step is over.
        self.began = time.perf_counter()
        self.done = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.done += 1
        rate = self.done * self.batch_size / (time.perf_counter() - self.began)
        before = self._late.swap(batch, logs)
        loss = "" if before is None else f", loss {before[1]:.4f}"
        self.progress("steps", batch + 1, self.steps, f"{rate:.1f} images/s{loss}")
        # Parts of an epoch too: the time that is left is known long before the first epoch is over.
        self.progress("epochs", self.epoch + (batch + 1) / self.steps, self.epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        best = self.checkpoint
        watched = float((logs or {}).get(best.monitor, math.nan))
        note = f"{best.monitor} {watched:.4f}"
        if best.best_epoch is not None:
            note += f", best {best.best:.4f} in epoch {best.best_epoch}"
        self.progress("epochs", epoch + 1, self.epochs, note)


def epoch_predictions(predictor: Predictor, notes: list[str]) -> list[PredictEpoch]:
    """The callbacks that predict chosen images, as configured; what stands in the way is noted."""
    config = predictor.config
    train = config.train
    wanted = [
        (train.epoch_change_infer, config.infer.images_dir, train.epoch_change_infer_dir, False),
        (
            train.epoch_change_tiled_infer,
            config.tiledinfer.images_dir,
            train.epoch_change_tiled_infer_dir,
            True,
        ),
    ]
    callbacks = []
    for is_wanted, folder, output_dir, tiled in wanted:
        images_dir = train.epoch_change_images_dir or folder
        if not (is_wanted and train.num_infer_images and images_dir):
            continue
        try:
            images = list_images(config.resolve(images_dir))[: train.num_infer_images]
        except PathError as error:
            # Training does not depend on these pictures; a missing folder must not cost a run.
            notes.append(f"no predictions after each epoch: {error}")
            continue
        callbacks.append(PredictEpoch(predictor, images, config.output(output_dir), tiled=tiled))
    return callbacks
