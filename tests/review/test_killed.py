"""A desk in a process of its own, killed in the middle of saves: every acknowledged stroke is there."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import httpx
import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.read import read_mask

from .conftest import HEIGHT, WIDTH, Reader, square

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")


@contextmanager
def running(folder, log, database):
    """`flexunet review` on a folder: its process, address and token."""
    command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser", "--reader", "ann"]
    command += ["--database", database] if database else []
    with (
        log.open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            told = process.stdout.readline()
            found = re.search(r"(http://\S+)/\?token=(\S+)", told)
            assert found, told + log.read_text()
            yield process, *found.groups()
        finally:
            process.kill()


def strokes(seed):
    """Boxes and labels, without end."""
    rng = np.random.default_rng(seed)
    while True:
        left, top = int(rng.integers(0, WIDTH - 20)), int(rng.integers(0, HEIGHT - 20))
        yield left, top, int(rng.integers(1, 20)), int(rng.integers(1, 20)), int(rng.integers(0, 2))


def test_no_acknowledged_stroke_is_lost_to_a_kill(folder, tmp_path, database_of):
    database = database_of(folder)
    log = tmp_path / "log"
    labels, version = square(), 0
    drawing = strokes(5)
    for acknowledged in (1, 7, 18):
        with running(folder, log, database) as (process, address, token):
            reader = Reader(address, token)
            with closing(reader.client):
                number = reader.numbers()["images/a.png"]
                due = threading.Event()

                def kill(process=process, due=due):
                    due.wait()
                    os.kill(process.pid, signal.SIGKILL)

                killer = threading.Thread(target=kill)
                killer.start()
                saved = 0
                try:
                    while True:
                        left, top, width, height, label = next(drawing)
                        wanted = labels.copy()
                        wanted[top : top + height, left : left + width] = label
                        answer = reader.draw(number, version, left, top, width, height, label)
                        assert answer["sha256"] == hashlib.sha256(wanted.tobytes()).hexdigest()
                        labels, version = wanted, answer["version"]
                        saved += 1
                        if saved == acknowledged:
                            due.set()
                except httpx.TransportError:
                    assert saved >= acknowledged
                killer.join()
        with running(folder, log, database) as (process, address, token):
            reader = Reader(address, token)
            with closing(reader.client):
                newest = reader.get(f"/api/items/{number}")["mask"]["version"]
                # The stroke under way may have been kept too: it was not acknowledged, nor refused.
                assert newest in (version, version + 1)
                known = reader.labels(f"/api/items/{number}/mask", version=version)
                np.testing.assert_array_equal(known, labels)
                labels, version = reader.labels(f"/api/items/{number}/mask"), newest
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0, log.read_text()
        written = tmp_path / "films_review" / "masks" / "shared" / "images" / "a.png"
        np.testing.assert_array_equal(read_mask(written, ColorMap.binary()), labels)
