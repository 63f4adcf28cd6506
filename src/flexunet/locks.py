"""One run a folder: the second is refused, whoever started the first.

lock            held by the operating system while the run lives; a killed run lets go by dying
running.json    who holds it, for the message

Both lie in `checkpoints/` of a run, under hidden names in a folder that is written otherwise, and beside a
folder that appears whole.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from flexunet.errors import RunLockedError
from flexunet.files import explaining, write_text
from flexunet.run_folder import RunFolder


@contextmanager
def locked_run(run_dir: Path) -> Iterator[None]:
    """Hold a run folder for oneself.

    Args:
        run_dir: The run folder; made if it is missing.

    Raises:
        RunLockedError: if another process holds it; the message says which.
        PathError: if nothing can be written there.
    """
    remedy = "give this run a folder of its own (--run FOLDER)"
    with _held(RunFolder.at(run_dir).checkpoints, "", (run_dir, "trains", remedy)):
        yield


@contextmanager
def locked_output(out: Path, *, beside: bool = False) -> Iterator[None]:
    """Hold a folder that a command writes, so that no two of them mix.

    Args:
        out: The folder; made if it is missing, unless `beside`.
        beside: Whether the lock lies beside the folder, which appears whole at the end.

    Raises:
        RunLockedError: if another process holds it; the message says which.
        PathError: if nothing can be written there.
    """
    folder, prefix = (out.parent, f".{out.name}.") if beside else (out, ".")
    with _held(folder, prefix, (out, "writes", "choose another folder")):
        yield


@contextmanager
def _held(folder: Path, prefix: str, told: tuple[Path, str, str]) -> Iterator[None]:
    path, holder = folder / f"{prefix}lock", folder / f"{prefix}running.json"
    with explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            subject, works, remedy = told
            raise RunLockedError(
                f"{subject} is in use: {_described(holder)} {works} there. Wait for its end, stop it, or "
                f"{remedy}."
            ) from None
    try:
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        write_text(holder, json.dumps(about) + "\n")
        yield
    finally:
        # Removed while the lock is still held: they must not be the next run's.
        holder.unlink(missing_ok=True)
        with suppress(OSError):  # Windows removes no open file
            path.unlink()
        lock.release()


def _described(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {about['pid']} on {about['host']}, started {about['started']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
