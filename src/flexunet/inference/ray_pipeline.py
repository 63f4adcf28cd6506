"""Images over the machines of a Ray cluster, with Ray Data.

Workers are actors that load the model once. Each reads, predicts and writes the images it is handed; paths go
out and records come back, so images, run and output folder must lie where all machines see them under one
name. Where a worker dies, Ray hands its images to another; a mask appears whole or not at all, so one that is
written twice is the same file. The journal is kept by the process that asked.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from flexunet.cluster import connected
from flexunet.errors import EngineError, FlexUNetError, ImageError
from flexunet.extras import import_extra
from flexunet.inference.image_work import ImageWork
from flexunet.inference.inputs import require_text
from flexunet.inference.journal import Journal, digest_of_weights
from flexunet.inference.outputs.write import Record
from flexunet.inference.pipeline import READERS, Outcome, Pipeline
from flexunet.inference.predict.predictor import Predictor

MOST_IMAGES_A_TASK = 16

Row = dict[str, Any]


class RayPipeline:
    """The images of a folder on their way over a cluster.

    Args:
        work: What is done to each image.
        load: Loads the model; called once by each worker.
        journal: What is finished.
        address: `local` starts a cluster on this machine, `auto` finds the one it belongs to, `host:port`
            names it.

    Attributes:
        busy_s: Seconds in which the model of a worker was at work, on average.
        wall_s: Seconds from the first image asked for to the last one written.
        images_by_worker: Images predicted by each worker, named by machine and process.
    """

    def __init__(self, work: ImageWork, load: Callable[[], Predictor], journal: Journal, address: str):
        self.work = work
        self.load = load
        self.journal = journal
        self.address = address
        self.busy_s = 0.0
        self.wall_s = 0.0
        self.images_by_worker: Counter[str] = Counter()
        self._busy: dict[str, float] = {}

    def run(
        self,
        names: dict[Path, str],
        settle: Callable[[Outcome], None],
        *,
        finished: Callable[[Path], Record | None],
    ) -> None:
        """Predict images and write what comes of them.

        Args:
            names: File name of the mask of each image.
            settle: Called with what came of each image, in this thread, as they are done.
            finished: The record of an image that needs no prediction, else none.

        Raises:
            EngineError: if Ray is not installed, or the cluster or its workers cannot do the work.
            PathError: if there is no cluster at the address.
        """
        started = time.perf_counter()

        def find(path: Path) -> Record | None:
            # Reading all images here would make one machine wait for the disk in the name of all.
            if not self.journal.knows(names[path]):
                return None
            with suppress(FlexUNetError):  # the worker that reads it says what is wrong
                return finished(path)
            return None

        waiting = []
        with ThreadPoolExecutor(READERS) as readers:
            for path, record in zip(names, readers.map(find, names), strict=True):
                if record is not None:
                    settle(Outcome(path, record, reused=True))
                    continue
                try:
                    require_text(path)  # no other name would reach a worker
                    waiting.append(path)
                except ImageError as error:
                    settle(Outcome(path, failure=str(error)))
        if waiting:
            with connected(self.address):
                self._predict({path: names[path] for path in waiting}, settle)
        self.wall_s = time.perf_counter() - started

    def _predict(self, names: dict[Path, str], settle: Callable[[Outcome], None]) -> None:
        ray = import_extra("ray", "ray.data", extra="ray", needed_by="--ray")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        workers, cpus, gpus = share_out(ray.nodes())
        rows = [{"path": str(path), "name": name} for path, name in names.items()]
        a_task = max(1, min(MOST_IMAGES_A_TASK, len(rows) // (4 * workers)))
        dataset = ray.data.from_items(rows, override_num_blocks=math.ceil(len(rows) / a_task)).map_batches(
            _Worker,
            fn_constructor_args=(
                self.work,
                self.load,
                self.journal.without_records(),
                os.environ.get("KERAS_BACKEND"),
                cpus,
            ),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=cpus,
            num_gpus=gpus,
        )
        try:
            for row in dataset.iter_rows():
                self._settle(row, settle)
        except (ray.exceptions.RayError, RuntimeError) as error:
            raise EngineError(
                f"the cluster at {self.address} gave up: {error}. Start again; finished images are kept."
            ) from error

    def _settle(self, row: Row, settle: Callable[[Outcome], None]) -> None:
        if row["fatal"]:
            raise EngineError(
                f"a worker of the cluster ({row['worker']}) cannot predict: {row['fatal']} All machines need "
                "the same FlexUNet, and must see run, images and output folder under the same names."
            )
        self.images_by_worker[row["worker"]] += 1
        self._busy[row["worker"]] = row["busy_s"]
        self.busy_s = sum(self._busy.values()) / len(self._busy)
        record = json.loads(row["record"]) if row["record"] else None
        settle(Outcome(Path(row["path"]), record, row["failure"]))


class _Worker:
    """An actor: the model, and what is done to images."""

    def __init__(
        self,
        work: ImageWork,
        load: Callable[[], Predictor],
        journal: Journal,
        engine: str | None,
        cpus: int,
    ):
        self.work = work
        self.journal = journal
        self.busy_s = 0.0
        self.fatal = ""
        if engine:
            os.environ["KERAS_BACKEND"] = engine
        # Several workers may share a machine: none takes its neighbour's processors.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(cpus))
        try:
            self.predictor = load()
            found = digest_of_weights(*self.predictor.models)
            if found != work.outputs.model:
                self.fatal = f"it found another model ({found[:12]}, expected {work.outputs.model[:12]})."
        except FlexUNetError as error:
            self.fatal = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        names = {
            Path(path): name
            for path, name in zip(batch["path"].tolist(), batch["name"].tolist(), strict=True)
        }
        outcomes: dict[Path, Outcome] = {}
        if not self.fatal:
            self._run(names, outcomes)
        rows = [self._row(path, outcomes.get(path)) for path in names]
        return {column: [row[column] for row in rows] for column in rows[0]}

    def _run(self, names: dict[Path, str], outcomes: dict[Path, Outcome]) -> None:
        keys: dict[Path, str] = {}

        def note_key(path: Path) -> None:
            keys[path] = self.journal.key_of(path, self.work.reader.identity_of(path).row)

        pipeline = Pipeline(self.work, self.predictor)
        pipeline.run(
            names,
            lambda outcome: outcomes.update({outcome.path: outcome}),
            finished=note_key,
            complete=lambda path, record: self.journal.complete(record, keys[path]),
        )
        self.busy_s += pipeline.busy_s

    def _row(self, path: Path, outcome: Outcome | None) -> Row:
        import ray

        record = json.dumps(outcome.record) if outcome and outcome.record else ""
        return {
            "path": str(path),
            "record": record,
            "failure": outcome.failure if outcome else "",
            "fatal": self.fatal,
            "worker": f"{ray.util.get_node_ip_address()}:{os.getpid()}",
            "busy_s": self.busy_s,
        }


def share_out(nodes: list[dict[str, Any]]) -> tuple[int, int, int]:
    """How many workers a cluster takes, and the processors and GPUs of each.

    A worker has a GPU of its own where there are any, else as many processors as the smallest machine has.

    Args:
        nodes: As `ray.nodes()` tells them.

    Raises:
        EngineError: if no machine has a processor.
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = sum(int(one.get("GPU", 0)) for one in resources)
    if gpus:
        return gpus, 1, 1
    cpus = [int(one["CPU"]) for one in resources if one.get("CPU", 0) >= 1]
    if not cpus:
        raise EngineError("the cluster has no machine with a processor. Start one with 'ray start'.")
    each = min(cpus)
    return sum(count // each for count in cpus), each, 0
