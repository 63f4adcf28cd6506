"""The epochs of a run: train, validate, tell the callbacks, save; from any step on that was saved.

An epoch is one call of Keras's `fit`, or the rest of an epoch where a run goes on in the middle of one. So
the steps are as fast as Keras's own, and all that a next epoch depends on is in our hands between them. Where
the optimizer keeps an average of the weights, that is what is validated, and what callbacks see at an epoch's
end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from flexunet.errors import DivergedError
from flexunet.training.batches.feeding import epoch_part
from flexunet.training.checkpoint import state
from flexunet.training.checkpoint.files import Checkpoint, CheckpointStore
from flexunet.training.follow.told import LateList
from flexunet.training.interrupt import StopSignal
from flexunet.training.optimizer.weight_average import averaged_weights
from flexunet.training.running_averages import ReEstimation


@dataclass(frozen=True)
class Position:
    """Where a run stands: steps done of an epoch, and that epoch's figures once all its steps are."""

    epoch: int = 0
    step: int = 0
    figures: dict[str, float] | None = None

    def __str__(self) -> str:
        place = f"epoch {self.epoch + 1}"
        return f"{place}, after step {self.step}" if self.step else f"the beginning of {place}"


@dataclass
class Saver:
    """Writes checkpoints of a model and its callbacks, and knows when the next one is due.

    Attributes:
        store: Where they go.
        model: The model, compiled and prepared.
        callbacks: Those with `resumable` attributes are saved too.
        identity: What the steps of the run depend on.
        about: What else stands in the state, for the reader.
        steps: Steps between two checkpoints within an epoch; none: only time counts.
        minutes: Minutes between two.
    """

    store: CheckpointStore
    model: keras.Model
    callbacks: list[Any]
    identity: dict[str, str]
    about: dict[str, Any]
    steps: int | None
    minutes: float
    saved: float = 0.0

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint belongs after this step (counted from 1)."""
        if self.steps and step % self.steps == 0:
            return True
        return time.monotonic() - self.saved >= 60 * self.minutes

    def save(self, position: Position, ended: str | None = None) -> None:
        """Write a checkpoint."""
        document = {
            **self.about,
            "identity": self.identity,
            "epoch": position.epoch,
            "step": position.step,
            "figures": position.figures,
            "ended": ended,
            "callbacks": state.callback_states(self.callbacks),
        }
        try:
            self.store.write(document, state.capture_arrays(self.model))
        except DivergedError as error:
            raise DivergedError(
                f"{error}, at {position}: no checkpoint of it was written, the one before stays "
                f"({self.store.newest}). Lower [model] learning_rate or clipvalue and start anew; [model] "
                "initial_weights takes the best model."
            ) from error
        self.saved = time.monotonic()


class Loop:
    """The epochs of one run.

    Args:
        model: The model, compiled and prepared (`state.prepare`).
        batches: Training batches; their order and content follow from their `epoch` and the step.
        validation: Validation batches, or none.
        epochs: Epochs in all.
        seed: Seed of the run.
        callbacks: Told of everything but validation steps, with epoch and step counted from the run's start.
        saver: Writes the checkpoints.
        stop: Looked at after every step.
        ended: Says after the last epoch why it was the last.
        statistics_batches: Training batches by which batch normalisation is re-estimated before validation.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Any,
        validation: Any | None,
        *,
        epochs: int,
        seed: int,
        callbacks: list[keras.callbacks.Callback],
        saver: Saver,
        stop: StopSignal,
        ended: Callable[[], str],
        statistics_batches: int = 0,
    ):
        self.model = model
        self.batches = batches
        self.validation = validation
        self.epochs = epochs
        self.seed = seed
        self.callbacks = callbacks
        self.told = LateList(
            callbacks, add_history=False, model=model, epochs=epochs, steps=len(batches), verbose=0
        )
        self.saver = saver
        self.stop = stop
        self.ended = ended
        self.re_estimate = ReEstimation(model, batches, statistics_batches)

    def run(self, checkpoint: Checkpoint | None = None) -> Position | None:
        """Train from the beginning, or from a checkpoint on.

        Returns:
            None when the run came to its end; where it stands if it was asked to stop.
        """
        start = position_of(checkpoint) if checkpoint else Position()
        self.saver.saved = time.monotonic()
        self.told.on_train_begin()
        if checkpoint:
            state.restore_variables(self.model, checkpoint)
            state.restore_callbacks(self.callbacks, checkpoint.state["callbacks"])
        for epoch in range(start.epoch, self.epochs):
            self.told.on_epoch_begin(epoch)
            within = checkpoint if checkpoint and epoch == start.epoch and start.step else None
            if within:
                # What callbacks noted when this epoch truly began.
                state.restore_callbacks(self.callbacks, within.state["callbacks"])
            figures = start.figures if within else None
            if figures is None:
                done = self._train(epoch, start.step if within else 0, within)
                if isinstance(done, Position):
                    return done
                figures = done
            with averaged_weights(self.model):
                validated = self._validate()
                if validated is not None:
                    self.told.on_epoch_end(epoch, {**figures, **validated})
            if validated is None:
                position = Position(epoch, len(self.batches), figures)
                self.saver.save(position)
                return position
            ended = self.ended() if self.model.stop_training or epoch + 1 == self.epochs else None
            self.saver.save(Position(epoch + 1), ended)
            if self.model.stop_training:
                break
            if self.stop and epoch + 1 < self.epochs:
                return Position(epoch + 1)
        self.told.on_train_end()
        return None

    def _train(self, epoch: int, first: int, within: Checkpoint | None) -> dict[str, float] | Position:
        """The steps of an epoch: its figures, or where it stands if it was asked to stop."""
        steps = _Steps(self, epoch, first, within)
        self.model.stop_training = False
        history = self.model.fit(
            epoch_part(self.batches, epoch, first),
            epochs=epoch + 1,
            initial_epoch=epoch,
            callbacks=LateList([steps], add_history=True, model=self.model),
            shuffle=False,  # the batches shuffle themselves, from the seed
            verbose=0,
        )
        self.model.stop_training = False
        if steps.stopped:
            return steps.stopped
        return {name: float(values[-1]) for name, values in history.history.items()}

    def _validate(self) -> dict[str, float] | None:
        """The figures of the validation images; none if it was asked to stop."""
        if self.stop:
            return None
        self.re_estimate()
        if self.validation is None:
            return {}
        figures = self.model.evaluate(
            self.validation, callbacks=[_ValidationSteps(self.stop)], return_dict=True, verbose=0
        )
        return None if self.stop else {f"val_{name}": float(value) for name, value in figures.items()}


def position_of(checkpoint: Checkpoint) -> Position:
    """Where a checkpoint's run stood."""
    return Position(checkpoint.state["epoch"], checkpoint.state["step"], checkpoint.state["figures"])


class _Steps(keras.callbacks.Callback):
    """What happens around the steps of one epoch."""

    reads_late = True

    def __init__(self, loop: Loop, epoch: int, first: int, within: Checkpoint | None):
        super().__init__()
        self.loop = loop
        self.epoch = epoch
        self.first = first
        self.within = within
        self.stopped: Position | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.within:
            state.restore_metrics(self.model, self.within)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch == 0:
            # Not earlier: starting the data loader draws from the generator too.
            if self.within:
                state.restore_engine_random(self.within)
            else:
                state.seed_engine_random(self.loop.seed, self.epoch)
        self.loop.told.on_train_batch_begin(self.first + batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self.first + batch
        self.loop.told.on_train_batch_end(step, logs)
        # After the last step there is validation, and then a checkpoint.
        if step + 1 == len(self.loop.batches):
            self.loop.told.settle()
            return
        position = Position(self.epoch, step + 1)
        if self.loop.stop:
            self.stopped = position
            self.model.stop_training = True
        elif not self.loop.saver.is_due(step + 1):
            return
        self.loop.told.settle()
        self.loop.saver.save(position)


class _ValidationSteps(keras.callbacks.Callback):
    """Ends validation when the run is asked to stop."""

    def __init__(self, stop: StopSignal):
        super().__init__()
        self.stop = stop

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.stop:
            self.model.stop_evaluating = True
