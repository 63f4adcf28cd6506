"""What the processes of one training do differently from a single one: they stop together, and one writes."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from flexunet.inference.predict.predictor import Predictor
from flexunet.models.registry import build_model
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.deep_supervision import without_heads
from flexunet.training.interrupt import StopSignal
from flexunet.training.processes.distribution import Team, undistributed

if TYPE_CHECKING:
    from flexunet.config.schema import Config


class AgreedStop(StopSignal):
    """A signal to any of the processes stops them all after the same step."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self.team = team
        self.agreed = False

    def __bool__(self) -> bool:
        if not self.agreed:
            received = int(self.team.gather(np.asarray([self.received or 0])).max())
            if received:
                self.agreed, self.received = True, signal.Signals(received)
        return self.agreed


class SilentStore(CheckpointStore):
    """The checkpoints as the processes see them that do not write."""

    def write(self, state: dict[str, Any], groups: dict[str, Iterable[np.ndarray]]) -> None:
        """Leave it to the leader."""

    def keep_newest(self) -> None:
        """Leave it to the leader."""


class SameFigures(keras.callbacks.Callback):
    """Gives all processes the leader's figures of an epoch: what follows from them must be the same."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self.team = team

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replace the figures in place, before the callbacks behind this one read them."""
        figures = logs or {}
        if self.team.processes == 1:
            return
        names = sorted(figures)
        leaders = self.team.gather(np.asarray([figures[name] for name in names], np.float32))[0]
        figures.update(zip(names, map(float, leaders), strict=True))


class LeaderPredictor(Predictor):
    """Predicts in one process, with a copy of the model that the others have no part in."""

    def __init__(self, model: keras.Model, config: Config) -> None:
        self.trained = without_heads(model)
        with undistributed():
            copy = build_model(config, policy=self.trained.dtype_policy.name, drawn=False)
            super().__init__(copy, config, plain=True)

    def predict_batch(self, pixels: np.ndarray) -> np.ndarray:
        """As `Predictor.predict_batch`, with the weights as they are now."""
        with undistributed():
            self.model.set_weights(self.trained.get_weights())
            return super().predict_batch(pixels)
