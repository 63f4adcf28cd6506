"""What lets a person follow a run besides curves and bars: the page of its epochs, TensorBoard, MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from flexunet.data.configured import color_map, image_reader
from flexunet.run_folder import RunFolder
from flexunet.training.follow.callbacks import BestCheckpoint, PredictEpoch
from flexunet.training.follow.gallery import Gallery
from flexunet.training.follow.history import History
from flexunet.training.follow.mlflow_run import LogToMLflow, require_mlflow
from flexunet.training.follow.tensorboard import WriteTensorBoard, require_tensorboard

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def following(
    config: Config,
    predicted: Sequence[keras.callbacks.Callback],
    history: History,
    best: BestCheckpoint,
    *,
    goes_on: bool,
    notes: list[str],
) -> list[keras.callbacks.Callback]:
    """The callbacks that follow a run, as configured; they stand behind those whose results they show.

    Args:
        config: The configuration.
        predicted: The callbacks that predict chosen images.
        history: Figures of the run's epochs.
        best: Knows the best epoch.
        goes_on: Whether the run goes on from a checkpoint.
        notes: Get a sentence where following fails in the middle of the run, which goes on.

    Raises:
        ConfigError: if a library is missing.
    """
    chosen = [each for each in predicted if isinstance(each, PredictEpoch)]
    callbacks: list[keras.callbacks.Callback] = [WriteGallery(config, each, history, best) for each in chosen]
    if config.train.tensorboard:
        require_tensorboard()
        folder = RunFolder.of(config).tensorboard
        callbacks.append(WriteTensorBoard(folder, history, chosen, config))
    if config.train.mlflow:
        require_mlflow()
        callbacks.append(LogToMLflow(config, history, goes_on=goes_on, notes=notes))
    return callbacks


class WriteGallery(keras.callbacks.Callback):
    """Write the page of the chosen images anew after every epoch."""

    def __init__(self, config: Config, predicted: PredictEpoch, history: History, best: BestCheckpoint):
        super().__init__()
        self.config = config
        self.predicted = predicted
        self.history = history
        self.best = best
        self.gallery: Gallery | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write it."""
        if self.gallery is None:
            title = self.config.run_dir.resolve().name
            self.gallery = Gallery(
                self.predicted.output_dir,
                self.predicted.images,
                title,
                image_reader(self.config),
                color_map(self.config).foreground_names,
            )
        self.gallery.write(self.history.epochs, self.best.best_epoch, self.config.train.epochs)
