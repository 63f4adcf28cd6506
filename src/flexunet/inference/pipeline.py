"""Many images at once: files are read ahead and written behind while the model is at work.

The calling thread does nothing but model calls; reading, resizing and all writing happen in other threads.
Images that are read by the time the model is free go through it together. The number of images in flight is
bounded by the memory that they take.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexunet.errors import FlexUNetError
from flexunet.inference.cases import Case
from flexunet.inference.image_work import ImageWork
from flexunet.inference.outputs.write import Record
from flexunet.inference.predict.predictor import Prediction, Predictor

READERS = 2
WRITERS = 2
MEMORY = 1 << 30  # bytes that the images in flight may take; a single larger one still passes

Finished = Callable[[Path], Record | None]
Complete = Callable[[Path, Record], Record]


@dataclass(frozen=True)
class Outcome:
    """What came of one image: a record, or what was wrong with it."""

    path: Path
    record: Record | None = None
    failure: str = ""
    reused: bool = False


@dataclass(frozen=True)
class _Ready:
    """An image that has been read and made ready for the model."""

    path: Path
    case: Case
    prepared: Any


class Pipeline:
    """Images on their way from file to files.

    Args:
        work: What is done to each.
        predictor: The model.
        batch_size: Most images in one model call; none: as the predictor says.
        memory: Bytes that the images in flight may take.

    Attributes:
        busy_s: Seconds in which the model was at work.
        wall_s: Seconds from the first image asked for to the last one written.
    """

    def __init__(
        self, work: ImageWork, predictor: Predictor, *, batch_size: int | None = None, memory: int = MEMORY
    ):
        self.work = work
        self.predictor = predictor
        self.batch_size = 1 if work.tiled else batch_size or predictor.batch_size
        self.memory = memory
        self.busy_s = 0.0
        self.wall_s = 0.0
        self._cost = 0
        self._reading: deque[tuple[Path, Future[_Ready | Record]]] = deque()
        self._writing: dict[Future[Record], Path] = {}

    def run(
        self,
        names: dict[Path, str],
        settle: Callable[[Outcome], None],
        *,
        finished: Finished = lambda _: None,
        complete: Complete = lambda _, record: record,
    ) -> None:
        """Predict images and write what comes of them.

        What the model has predicted is written and settled also where an error or an interrupt ends the run.

        Args:
            names: File name of the mask of each image.
            settle: Called with what came of each image, in this thread, as they are done.
            finished: The record of an image that needs no prediction, else none; called in reading threads.
            complete: Adds to a record; called in writing threads.
        """
        started = time.perf_counter()
        waiting = deque(names)
        with ThreadPoolExecutor(READERS) as readers, ThreadPoolExecutor(WRITERS) as writers:
            try:
                while waiting or self._reading or self._writing:
                    while waiting and len(self._reading) + len(self._writing) < self._most():
                        path = waiting.popleft()
                        self._reading.append((path, readers.submit(self._read, path, finished)))
                    self._settle_writes(settle, block=not self._reading)
                    for ready, raw in self._predict(self._take(settle)):
                        if isinstance(raw, FlexUNetError):
                            settle(Outcome(ready.path, failure=str(raw)))
                        else:
                            name = names[ready.path]
                            future = writers.submit(self._write, ready, name, raw, complete)
                            self._writing[future] = ready.path
            finally:
                readers.shutdown(wait=False, cancel_futures=True)
                while self._writing:
                    self._settle_writes(settle, block=True)
                self.wall_s += time.perf_counter() - started

    def _most(self) -> int:
        """How many images may be in flight."""
        if not self._cost:
            return READERS  # until it is known how large they are
        return max(1, min(2 * (READERS + WRITERS) + self.batch_size, self.memory // self._cost))

    def _read(self, path: Path, finished: Finished) -> _Ready | Record:
        record = finished(path)
        if record is not None:
            return record
        case = self.work.read(path)
        prepared = None if self.work.tiled else self.predictor.prepare(case.image)
        height, width = case.image.shape[:2]
        # The image, probabilities at its size, and the masks, labels and pictures that are made of them.
        self._cost = max(self._cost, case.image.nbytes + height * width * (4 * self.predictor.classes + 16))
        return _Ready(path, case, prepared)

    def _take(self, settle: Callable[[Outcome], None]) -> list[_Ready]:
        """Images for one model call: the next one, and those behind it that are read already."""
        batch: list[_Ready] = []
        while self._reading and len(batch) < self.batch_size:
            path, future = self._reading[0]
            if batch and not future.done():
                break
            self._reading.popleft()
            try:
                found = future.result()
            except FlexUNetError as error:
                settle(Outcome(path, failure=str(error)))
                continue
            if isinstance(found, _Ready):
                batch.append(found)
            else:
                settle(Outcome(path, found, reused=True))
        return batch

    def _predict(self, batch: list[_Ready]) -> list[tuple[_Ready, Any]]:
        """Each image with what the model says of it, or with what was wrong."""
        if not batch:
            return []
        started = time.perf_counter()
        try:
            if self.work.tiled:
                return [(ready, self.work.predict(ready.case, self.predictor)) for ready in batch]
            raws = self.predictor.forward([ready.prepared for ready in batch])
            return list(zip(batch, raws, strict=True))
        except FlexUNetError as error:
            if len(batch) == 1:
                return [(batch[0], error)]
        finally:
            self.busy_s += time.perf_counter() - started
        return [pair for ready in batch for pair in self._predict([ready])]

    def _write(self, ready: _Ready, name: str, raw: Any, complete: Complete) -> Record:
        prediction: Prediction = (
            raw if self.work.tiled else self.predictor.finish(raw, *ready.case.image.shape[:2])
        )
        return complete(ready.path, self.work.write(ready.case, name, prediction))

    def _settle_writes(self, settle: Callable[[Outcome], None], *, block: bool) -> None:
        if block and self._writing:
            wait(self._writing, return_when=FIRST_COMPLETED)
        for future in [future for future in self._writing if future.done()]:
            path = self._writing.pop(future)
            try:
                settle(Outcome(path, future.result()))
            except FlexUNetError as error:
                settle(Outcome(path, failure=str(error)))
