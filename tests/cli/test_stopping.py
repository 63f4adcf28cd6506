"""Commands that have other processes work for them end these too when they are told to end."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.images.files.write import write_image

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="reads /proc")


# Each command with the file that shows that its processes are at work.
COMMANDS = {
    "derive raw out --masks none --jobs 2": "out/derive_journal.jsonl",
    "augment data out --config augment.toml --jobs 2": "out/.augment.rows.jsonl",
    "demo out": "out/elsewhere",
}


def processes():
    """Parent of every process that has not ended, by process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    return parents


def below(process):
    """All processes that a process has started, and those that these have."""
    parents = processes()
    children = [child for child, parent in parents.items() if parent == process]
    return {*children, *(each for child in children for each in below(child))}


def until(condition):
    for _ in range(2400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing came in two minutes")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Enough to work on for some seconds."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    for number in range(40):
        noise = rng.integers(0, 256, (900, 700), np.uint8)
        write_image(folder / "raw" / f"{number}.png", noise)
        write_image(folder / "data" / "train" / "images" / f"{number}.png", noise)
        write_image(folder / "data" / "train" / "masks" / f"{number}.png", np.zeros_like(noise))
    (folder / "augment.toml").write_text(f"[augmentor]\nangles = {list(range(10, 350, 10))}\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_sigterm_ends_a_command_and_all_its_processes(tmp_path, films, command):
    for path in films.iterdir():
        (tmp_path / path.name).symlink_to(path)
    process = subprocess.Popen(
        [sys.executable, "-m", "flexunet", *command.split()],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: (tmp_path / COMMANDS[command]).exists() or process.poll() is not None)
        started = below(process.pid)
        assert started
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1].decode()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143
    assert "stopped." in said
    assert "Traceback" not in said
    until(lambda: not started & processes().keys())


# Sends itself the signal in the middle of a line of its log, as it may come to a listener.
IN_A_LINE = """
import io, logging, os, signal, sys, time
import flexunet.cli as cli

class Slow(io.RawIOBase):
    def writable(self):
        return True
    def write(self, text):
        if b"working" in bytes(text):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        return os.write(2, text)

sys.stderr = io.TextIOWrapper(io.BufferedWriter(Slow()), write_through=True)
logging.basicConfig()

def work(**_):
    for _ in range(3):
        logging.warning("working")
    time.sleep(60)

cli.app = work
cli.main()
"""


def test_a_signal_in_the_middle_of_a_line_ends_the_command():
    done = subprocess.run(
        [sys.executable, "-c", IN_A_LINE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 143, done.stderr
    assert "stopped." in done.stderr
    assert "Traceback" not in done.stderr
