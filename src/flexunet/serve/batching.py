"""One model for many threads: what they ask for at the same time is predicted together.

It stands where the model stood, so that everything around the model (tiles, resizing, rules) stays as it is.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.errors import EngineError

if TYPE_CHECKING:
    from flexunet.inference.predict.predictor import Predictor

Waiting = tuple[np.ndarray, "Future[np.ndarray]"]


class BatchingModel:
    """A model that may be asked from any number of threads.

    One thread runs the model. Each time it is free it takes what waits, up to `most` images, and gives late
    ones a few milliseconds.

    Args:
        model: Anything with `predict_on_batch`, float32 `(n, H, W, C)` to `(n, H, W, classes)`.
        most: Images of a batch; a caller that brings more gets a batch of its own.
        fill: Whether batches are filled up to 1, 2, 4, ... images, so that an engine that compiles for each
            size compiles few of them.
        wait_seconds: How long an unfilled batch waits for more.
        observe: Called with (images, seconds) after each batch.
    """

    def __init__(
        self,
        model: Any,
        *,
        most: int = 4,
        fill: bool = True,
        wait_seconds: float = 0.004,
        observe: Callable[[int, float], None] | None = None,
    ):
        self.model = model
        self.most = most
        self.fill = fill
        self.wait_seconds = wait_seconds
        self.observe = observe or (lambda images, seconds: None)
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="flexunet-model", daemon=True)
        self._thread.start()

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities of images, predicted together with those of other threads.

        Raises:
            EngineError: if the model was closed.
        """
        if self._closed.is_set():
            raise EngineError("the model is closed: the service is shutting down.")
        future: Future[np.ndarray] = Future()
        self._waiting.put((pixels, future))
        return future.result()

    def warm_up(self, shape: tuple[int, int, int]) -> None:
        """Run every size of batch once, so that no request waits for a compilation."""
        size = 1
        while True:
            self._run([np.zeros((size, *shape), np.float32)])
            if size >= self.most:
                return
            size *= 2

    def close(self) -> None:
        """Let what waits be finished, and stop."""
        self._closed.set()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        held: Waiting | None = None
        while True:
            first = held or self._waiting.get()
            if first is None:
                return
            batch, held, ending = self._gather(first)
            self._answer(batch)
            if ending:
                if held:
                    self._answer([held])
                return

    def _gather(self, first: Waiting) -> tuple[list[Waiting], Waiting | None, bool]:
        """A batch; the one that no longer fits, if any; and whether the end was met."""
        batch, images = [first], len(first[0])
        until = time.monotonic() + self.wait_seconds
        while images < self.most:
            try:
                found = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if found is None:
                return batch, None, True
            if images + len(found[0]) > self.most:
                return batch, found, False
            batch.append(found)
            images += len(found[0])
        return batch, None, False

    def _answer(self, batch: list[Waiting]) -> None:
        start = time.perf_counter()
        parts = [pixels for pixels, _ in batch]
        try:
            probabilities = self._run(parts)
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:  # so that the fault of one is not that of all
                self._answer([one])
            return
        self.observe(sum(map(len, parts)), time.perf_counter() - start)
        first = 0
        for pixels, future in batch:
            future.set_result(probabilities[first : first + len(pixels)])
            first += len(pixels)

    def _run(self, parts: list[np.ndarray]) -> np.ndarray:
        images = sum(map(len, parts))
        missing = _filled(images) - images if self.fill else 0
        if missing:
            parts = [*parts, np.zeros((missing, *parts[0].shape[1:]), parts[0].dtype)]
        pixels = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return np.asarray(self.model.predict_on_batch(pixels), np.float32)[:images]


def share_models(
    predictor: Predictor, *, most: int, observe: Callable[[int, float], None]
) -> Callable[[], None]:
    """Let many threads ask a predictor: its model, or those of its members, run in a thread each.

    Args:
        predictor: The predictor; its models are replaced, and each size of batch is run once.
        most: Images of a batch.
        observe: Called with (images, seconds) after each batch.

    Returns:
        What closes them.
    """
    models = []
    for member in getattr(predictor, "members", [predictor]):
        # An exported model predicts one image after the other, whatever their number.
        exported = hasattr(member.model, "digest")
        member.model = BatchingModel(member.model, most=most, fill=not exported, observe=observe)
        member.model.warm_up((member.height, member.width, member.channels))
        models.append(member.model)

    def close() -> None:
        for model in models:
            model.close()

    return close


def _filled(images: int) -> int:
    """The next power of two."""
    return 1 << (images - 1).bit_length()
