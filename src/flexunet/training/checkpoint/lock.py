"""One run a folder: the second is refused, whoever started the first.

checkpoints/lock           held by the operating system while the run lives; a killed run lets go by dying
checkpoints/running.json   who holds it, for the message
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from flexunet.errors import RunLockedError
from flexunet.files import explaining, write_text
from flexunet.run_folder import RunFolder


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Hold a run folder for oneself.

    Args:
        run_dir: The run folder; made if it is missing.

    Raises:
        RunLockedError: if another process holds it; the message says which.
        PathError: if nothing can be written there.
    """
    folder = RunFolder.at(run_dir).checkpoints
    holder = folder / "running.json"
    with explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunLockedError(
                f"{run_dir} is in use: {_described(holder)} trains there. Wait for its end, stop it, or give "
                "this run a folder of its own (--run FOLDER)."
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
        # Removed while the lock is still held: it must not be the next run's.
        holder.unlink(missing_ok=True)
        lock.release()


def _described(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {about['pid']} on {about['host']}, started {about['started']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
