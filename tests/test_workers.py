"""Work divided among processes: the same results, and no process left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from flexunet.errors import DatasetError, OutOfMemoryError
from flexunet.workers import work_in_processes


def times(number, factor):
    return number * factor, os.getpid()


def fail(number):
    raise DatasetError(f"task {number} cannot be done")


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(folder, name):
    (folder / name).write_text(str(os.getpid()))
    threading.Event().wait()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_are_the_same_in_one_process_and_in_two(jobs):
    results = list(work_in_processes(partial(times, factor=3), range(6), jobs))
    assert sorted(product for product, _ in results) == [0, 3, 6, 9, 12, 15]
    assert (os.getpid() in {process for _, process in results}) is (jobs == 1)


def test_errors_of_the_work_arrive():
    with pytest.raises(DatasetError, match=r"task \d cannot be done"):
        list(work_in_processes(fail, range(2), 2))


def test_a_process_that_the_system_ends_is_told_as_want_of_memory():
    with pytest.raises(OutOfMemoryError, match="fewer --jobs"):
        list(work_in_processes(die, range(2), 2))


@pytest.mark.parametrize("received", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_asked(tmp_path, received):
    code = (
        "import sys; from pathlib import Path; from functools import partial\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_workers import wait_for_ever; from flexunet.workers import work_in_processes\n"
        "if __name__ == '__main__':\n"
        f"    list(work_in_processes(partial(wait_for_ever, Path({str(tmp_path)!r})), ['a', 'b'], 2))\n"
    )
    (tmp_path / "ask.py").write_text(code)
    asking = subprocess.Popen([sys.executable, str(tmp_path / "ask.py")])
    try:
        workers = [int(text) for text in until(lambda: texts(tmp_path, "ab"))]
    finally:
        asking.send_signal(received)
        asking.wait()
    until(lambda: not any(map(is_running, workers)))


def texts(folder, names):
    written = [(folder / name).read_text() for name in names if (folder / name).is_file()]
    return written if len(written) == len(names) and all(written) else None


def is_running(process):
    """A zombie has ended; nobody may have asked for its code yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition):
    """What the condition gives, once it is true."""
    for _ in range(1200):
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("nothing came in a minute")
