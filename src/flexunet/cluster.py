"""Work over the machines of a Ray cluster: a connection, and tasks that are divided among its processors.

Source: Moritz et al. (2018), Ray: A Distributed Framework for Emerging AI Applications, arXiv:1712.05889.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from flexunet.errors import EngineError, FlexUNetError, PathError
from flexunet.extras import import_extra

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOCAL_STORE = 200 << 20  # bytes; paths and records are all that goes through it
_LOCAL = "local"
_AHEAD = 4  # tasks that each processor has waiting


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A connection to a cluster; one that is there already is used and left as it is.

    Args:
        address: `local` starts a cluster on this machine, `auto` finds the one it belongs to, `host:port`
            names it.

    Raises:
        EngineError: if Ray is not installed.
        PathError: if there is no cluster at the address.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report to its makers
    ray = import_extra("ray", extra="ray", needed_by="--ray")
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == _LOCAL:
        options |= {"include_dashboard": False, "object_store_memory": _LOCAL_STORE}
    try:
        _knock(address)
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise PathError(
            f"no Ray cluster at {address} ({error}). Start one with 'ray start --head' and run this on one "
            "of its machines, or give --ray local."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def work_on_cluster(work: Callable[[Task], Result], tasks: Sequence[Task], address: str) -> Iterator[Result]:
    """Results of all tasks in their order, each made by one processor of a cluster.

    A task whose machine is lost is given to another; so what it writes must appear whole or not at all, and
    be the same each time.

    Args:
        work: What is done with a task. It goes to each machine once, so it may hold much: `partial(...)`.
        tasks: What is to be worked on; files that it names must lie where all machines see them.
        address: Of the cluster, as `connected` takes it.

    Raises:
        EngineError: if Ray is not installed, or the cluster cannot do the work.
        PathError: if there is no cluster at the address.
    """
    with connected(address) as ray:
        run = ray.remote(num_cpus=1, max_retries=3)(_work_on)
        shared = ray.put(partial(_in_folder, str(Path.cwd()), work))
        ahead = max(1, int(ray.cluster_resources().get("CPU", 1))) * _AHEAD
        waiting = [run.remote(shared, task) for task in tasks[:ahead]]
        for number in range(len(tasks)):
            try:
                result = ray.get(waiting.pop(0))
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, FlexUNetError):
                    raise error.cause from error
                raise EngineError(f"the cluster at {address} could not do the work: {error}") from error
            except ray.exceptions.RayError as error:
                raise EngineError(
                    f"the cluster at {address} gave up: {error}. Start again; what is finished is kept."
                ) from error
            if number + ahead < len(tasks):
                waiting.append(run.remote(shared, tasks[number + ahead]))
            yield result


def _work_on(work: Callable[[Any], Any], task: Any) -> Any:
    import cv2

    cv2.setNumThreads(1)  # each processor has a task of its own
    return work(task)


def _in_folder(folder: str, work: Callable[[Any], Any], task: Any) -> Any:
    """Work where the command was given, so that the paths of a task mean the same."""
    os.chdir(folder)
    return work(task)


def _knock(address: str) -> None:
    """Try whether anybody is at `host:port`; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
