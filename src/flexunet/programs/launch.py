"""Starting the processes of one training, watching over them, and ending them all when one is lost.

The launcher trains nothing. It decodes the images of this machine, starts `flexunet train` once a process,
passes signals on, shows what process 0 prints and keeps what the others say for the case that one fails.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import IO, TYPE_CHECKING

from flexunet.data.configured import is_validated, open_split
from flexunet.errors import EngineError, FlexUNetError
from flexunet.extras import install_command, is_installed
from flexunet.membership import LOST, Membership, check_divides
from flexunet.progress import Progress

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# How long the others may take to notice that one is gone, or to save and stop, before they are killed.
_GRACE_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_LINES_SHOWN = 12


class ProcessLostError(FlexUNetError):
    """A process of a training over several of them is gone."""


@dataclass
class _Process:
    place: Membership
    process: subprocess.Popen[bytes]
    said: IO[bytes] | None  # its standard error, where it is not shown

    @property
    def name(self) -> str:
        return f"process {self.place.place} of {self.place.processes}"

    def last_lines(self) -> str:
        if self.said is None:
            return ""
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        # Its message, where it gave one; else the end of what it said.
        start = next((place for place, line in enumerate(lines) if line.startswith("error:")), -_LINES_SHOWN)
        return "\n".join(lines[start:])


def launch_training(
    config: Config,
    arguments: Sequence[str],
    memberships: Sequence[Membership],
    progress: Callable[[], AbstractContextManager[Progress]],
) -> int:
    """Run `flexunet train` once a process, and wait for all.

    Args:
        config: The configuration.
        arguments: Of the command, as for one process alone.
        memberships: The processes to be started on this machine.
        progress: Shows how many images are decoded.

    Returns:
        The exit code: that of process 0, which has said why, unless all ended well.

    Raises:
        InputError: for a configuration or data that cannot be used.
        EngineError: if JAX is not there, or Keras is told to use another engine.
        ProcessLostError: if a process was lost; the others are ended by then.
    """
    environment = _environment()
    count = memberships[0].processes
    check_divides(config.train.batch_size, count, f"the {count} processes")
    with progress() as shown:
        # Once a machine, not once a process.
        for split in ("train", "valid") if is_validated(config) else ("train",):
            open_split(config, split, progress=shown)
    return _run(arguments, memberships, environment)


def _run(arguments: Sequence[str], memberships: Sequence[Membership], environment: dict[str, str]) -> int:
    """Start the processes, pass signals on to them, and wait for all."""
    coordinator = memberships[0].coordinator or f"127.0.0.1:{_free_port()}"
    processes: list[_Process] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for each in processes:
            if each.process.poll() is None:
                each.process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for place in memberships:
            told = Membership(coordinator, place.processes, place.place, place.device)
            processes.append(_start(arguments, told, environment))
        return _watch(processes)
    finally:
        for each in processes:
            each.process.kill()
            each.process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, str]:
    engine = os.environ.get("KERAS_BACKEND", "jax")
    if engine != "jax":
        raise EngineError(
            f"training with several processes runs on JAX, and KERAS_BACKEND is '{engine}': set "
            "KERAS_BACKEND=jax, or unset it."
        )
    if not is_installed("jax"):
        raise EngineError(
            f"training with several processes runs on JAX, which is missing: {install_command('jax')}."
        )
    return {**os.environ, "KERAS_BACKEND": "jax"}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _start(arguments: Sequence[str], place: Membership, environment: dict[str, str]) -> _Process:
    said = None if place.place == 0 else tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
    process = subprocess.Popen(  # noqa: S603 - our own command line once more
        [sys.executable, "-m", "flexunet", *arguments],
        env={**environment, **place.environment()},
        stdin=subprocess.PIPE,  # held open: a process whose launcher is gone sees its end
        stdout=None if place.place == 0 else subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,  # Ctrl-C reaches the launcher, which passes it on once
    )
    return _Process(place, process, said)


def _watch(processes: list[_Process]) -> int:
    """Wait for all; when one fails, for the others no longer than a grace."""
    first: _Process | None = None
    deadline = 0.0
    while any(each.process.poll() is None for each in processes):
        if first is None:
            first = next((each for each in processes if each.process.poll() not in (None, 0)), None)
            deadline = time.monotonic() + _GRACE_SECONDS
        elif time.monotonic() > deadline:
            for each in processes:
                each.process.kill()
        time.sleep(_LOOK_SECONDS)
    failed = [each for each in processes if each.process.returncode]
    if not failed:
        return 0
    leader = next((each for each in processes if each.place.place == 0), None)
    if leader is not None and leader.process.returncode not in (0, LOST) and leader.process.returncode > 0:
        return leader.process.returncode
    raise ProcessLostError(_explained(first or failed[0], failed))


def _explained(first: _Process, failed: list[_Process]) -> str:
    """What became of the process that was the first to go, and what to do."""
    # One that aborted, or says so, has only noticed that another one was gone.
    causes = [each for each in failed if each.process.returncode not in (LOST, -signal.SIGABRT)]
    cause = first if first in causes else causes[0] if causes else first
    code = cause.process.returncode
    if cause not in causes:
        what = (
            f"{cause.name} lost the others (coordinator {cause.place.coordinator}): one has ended, or the "
            "network between the machines is down. See what they say on their machines"
        )
    elif code < 0:
        what = f"{cause.name} was killed ({signal.Signals(-code).name}); the others were ended"
    else:
        what = (
            f"{cause.name} failed (exit code {code}); the others were ended. It said:\n{cause.last_lines()}\n"
        )
    return f"{what}. Resume from the last checkpoint with the same command and --resume auto."
