"""Callbacks that are told of steps without holding up the device.

Keras turns the figures of every step into numbers before it tells any callback, and so waits for the device
after every step. Here a callback with `reads_late = True` gets them as the engine has them, and reads those
of the step before; only others that look at steps make the run wait.
"""

from __future__ import annotations

from typing import Any

import keras


class LateList(keras.callbacks.CallbackList):
    """A list of callbacks, those that read late among them."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell of a step; `logs` as the engine has them."""
        for callback in self.callbacks:
            if getattr(callback, "reads_late", False):
                callback.on_train_batch_end(batch, logs)
        if waiting := [each for each in self.callbacks if _looks_at_steps(each)]:
            keras.callbacks.CallbackList(waiting).on_train_batch_end(batch, logs)

    def settle(self) -> None:
        """Let callbacks look at the last step, where they have not yet."""
        for callback in self.callbacks:
            if hasattr(callback, "settle"):
                callback.settle()


def _looks_at_steps(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback has something to do at the end of a step, and wants numbers for it."""
    plain, own = keras.callbacks.Callback, type(callback)
    does = (own.on_train_batch_end, own.on_batch_end) != (plain.on_train_batch_end, plain.on_batch_end)
    return does and not getattr(callback, "reads_late", False)
