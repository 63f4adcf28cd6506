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
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from flexunet.errors import OutOfMemoryError, shield_output

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
    end, told_to_end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (work, start, end))
    try:
        for future in as_completed([pool.submit(_work_on, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise OutOfMemoryError(
            "the system ended a worker process, most likely for want of memory. What is finished is kept: "
            "run the same command again with fewer --jobs."
        ) from error
    except BaseException:
        told_to_end.close()  # at once: what they work on may take minutes, and nobody wants it any more
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        end.close()
        told_to_end.close()


_work: Callable[[Any], Any]


def _begin(work: Callable[[Any], Any], start: Callable[[], Any] | None, end: Connection) -> None:
    global _work
    import cv2

    _work = work
    shield_output()
    cv2.setNumThreads(1)
    # They may reach every process of a group; the first one ends the rest.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_when_told, args=(end,), daemon=True).start()
    if start is not None:
        start()


def _work_on(task: Any) -> Any:
    return _work(task)


def _end_when_told(end: Connection) -> None:
    """End this process when the one that started it closes `end`, or is killed without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel, end])
        os._exit(1)
