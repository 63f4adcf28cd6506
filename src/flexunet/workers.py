"""Work that is divided among processes, which end when the one that asked for it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from flexunet.errors import OutOfMemoryError

Task = TypeVar("Task")
Result = TypeVar("Result")


def work_in_processes(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    start: Callable[[], Any] | None = None,
) -> Iterator[Result]:
    """Results of all tasks, each as soon as it is there.

    Args:
        work: What is done with a task. It is sent to each process once, so it may hold much: `partial(...)`.
        tasks: What is to be worked on.
        jobs: Processes; 1 or less, or a single task: this process does it all, in order.
        start: Called in each process first.

    Raises:
        OutOfMemoryError: if the system ended a process.
    """
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    # Forking a process that has threads, as an engine's, can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (work, start))
    try:
        for future in as_completed([pool.submit(_work_on, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise OutOfMemoryError(
            "the system ended a worker process, most likely for want of memory. What is finished is kept: "
            "run the same command again with fewer --jobs."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_work: Callable[[Any], Any]


def _begin(work: Callable[[Any], Any], start: Callable[[], Any] | None) -> None:
    global _work
    import cv2

    _work = work
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the rest
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start()


def _work_on(task: Any) -> Any:
    return _work(task)


def _end_with_parent() -> None:
    """End this process when the one that started it has gone, however: it may be killed without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
