"""The server of the review desk: killed in the middle of saves, 10,000 images in its queue, 20 readers.

    python benchmarks/desk.py kills --count 20       SIGKILL at random moments while strokes are saved
    python benchmarks/desk.py queue --images 10000   first and second opening, a page of the queue
    python benchmarks/desk.py readers --count 20     blind readers, and readers on one and the same image
    python benchmarks/desk.py tiles                  a film of 4096 x 3328, 16 bits: first opening, its tiles

Each desk is `flexunet review` in a process of its own, asked over loopback. What was acknowledged is compared
with what the desk tells after a new start. `tests/review/test_killed.py` does so with a few kills.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np

from flexunet.review.store.database import Database, sqlite_url
from flexunet.review.web.accounts import Accounts

PASSWORD = "twenty readers at once"
SIDE = 512


class Reader:
    """A browser with a session."""

    def __init__(self, address: str, query: str = "", name: str = ""):
        self.client = httpx.Client(base_url=address, trust_env=False, timeout=120)
        if name:
            self.client.post("/api/login", json={"name": name, "password": PASSWORD}).raise_for_status()
        else:
            self.client.get(f"/{query}")
        self.csrf = self.get("/api/session")["csrf"]

    def get(self, path: str, **parameters):
        """What a route answers."""
        answer = self.client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict) -> httpx.Response:
        """The answer to a change."""
        return self.client.post(path, json=body, headers={"X-Desk-CSRF": self.csrf})

    def draw(self, number: int, base: int, box: tuple[int, int, int, int], label: int) -> httpx.Response:
        """The answer to a filled box."""
        left, top, width, height = box
        place = {"x": left, "y": top, "width": width, "height": height}
        form = {"base_version": base, "box": place, "runs": [label, width * height], "tool": "brush"}
        return self.post(f"/api/items/{number}/strokes", form)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen, str, str, float]]:
    """`flexunet review`: its process, address, token, and the seconds until it took requests."""
    command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser", *options]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"(https?://[^/\s]+)/(\S*)", line):
                    yield process, *found.groups(), time.perf_counter() - started
                    break
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def processor_seconds(process: int) -> float:
    """What a process has used so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_images(folder: Path, count: int) -> None:
    """Small images and empty masks."""
    image = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8))[
        1
    ].tobytes()
    mask = cv2.imencode(".png", np.zeros((SIDE, SIDE), np.uint8))[1].tobytes()
    for kind, content in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            (folder / kind / f"case_{number:05d}.png").write_bytes(content)


def random_box(rng: random.Random) -> tuple[int, int, int, int]:
    """Left, top, width and height."""
    left, top = rng.randrange(SIDE - 64), rng.randrange(SIDE - 64)
    return left, top, rng.randrange(1, 64), rng.randrange(1, 64)


def kills(count: int, folder: Path) -> None:
    """Kill, start again, compare; print what was lost."""
    write_images(folder / "films", 3)
    rng = random.Random(1)
    labels, version, acknowledged, lost = np.zeros((SIDE, SIDE), np.uint8), 0, 0, 0
    for _ in range(count):
        with running(folder / "films") as (process, address, query, _):
            reader = Reader(address, query)
            delay = rng.uniform(0.05, 1.0)
            threading.Timer(delay, os.kill, (process.pid, signal.SIGKILL)).start()
            try:
                while True:
                    box, label = random_box(rng), rng.randrange(2)
                    answer = reader.draw(1, version, box, label)
                    answer.raise_for_status()
                    left, top, width, height = box
                    labels[top : top + height, left : left + width] = label
                    version = answer.json()["version"]
                    acknowledged += 1
            except httpx.TransportError:
                pass
        with running(folder / "films") as (_, address, query, _):
            reader = Reader(address, query)
            told = {each["version"]: each["sha256"] for each in reader.get("/api/items/1/versions")}
            if told.get(version, "") != hashlib.sha256(labels).hexdigest() and version:
                lost += 1
            newest = max(told, default=0)
            assert newest - version <= 1
            content = reader.client.get("/api/items/1/mask").content
            labels = np.frombuffer(content, np.uint8).reshape(SIDE, SIDE).copy()
            version = newest
    print(f"{count} kills, {acknowledged} acknowledged strokes, {lost} lost")


def queue(images: int, folder: Path) -> None:
    """Time opening and asking."""
    write_images(folder / "films", images)
    for what in ("first", "second"):
        with running(folder / "films") as (process, address, query, seconds):
            used = processor_seconds(process.pid)
            reader = Reader(address, query)
            times = {}
            for name, ask in (
                ("a page of the queue", lambda r=reader: r.get("/api/queue", limit=100)),
                ("the last page", lambda r=reader: r.get("/api/queue", limit=100, offset=images - 100)),
                ("a search", lambda r=reader: r.get("/api/queue", search="case_0999")),
                ("the next image", lambda r=reader: r.get("/api/next", after=1)),
            ):
                spent = []
                for _ in range(5):
                    begun = time.perf_counter()
                    ask()
                    spent.append(time.perf_counter() - begun)
                times[name] = statistics.median(spent)
            told = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in times.items())
            print(f"{what} opening of {images} images: {seconds:.2f} s, {used:.2f} s of processor; {told}")


def read_alone(reader: Reader, numbers: list[int]) -> int:
    """Look, draw five strokes, decide; how many decisions were acknowledged."""
    decided = 0
    for number in numbers:
        version = reader.get(f"/api/items/{number}")["mask"]["version"]
        for step in range(5):
            answer = reader.draw(number, version, (10 * step, 10, 8, 8), 1)
            answer.raise_for_status()
            version = answer.json()["version"]
        form = {"verdict": "correct", "seconds": 1, "base_version": version}
        decided += reader.post(f"/api/items/{number}/verdict", form).status_code == 200
    return decided


def draw_together(reader: Reader, row: int) -> int:
    """Ten strokes on image 1 among others who draw on it; how often the reader had to fetch theirs first."""
    refused = 0
    for column in range(10):
        while True:
            version = reader.get("/api/items/1")["mask"]["version"]
            answer = reader.draw(1, version, (10 * column, 10 * row, 9, 9), 1)
            if answer.status_code == 200:
                break
            assert answer.status_code == 409, answer.text
            refused += 1
    return refused


def readers(count: int, folder: Path) -> None:
    """Many at once; print what was lost."""
    write_images(folder / "films", 30)
    database = Database(sqlite_url(folder / "films_review" / "desk.sqlite"))
    for number in range(count):
        Accounts(database).put(f"reader {number}", "admin", PASSWORD)
    database.close()
    with running(folder / "films", "--accounts", "--blind") as (_, address, _, _):
        people = [Reader(address, name=f"reader {number}") for number in range(count)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            decided = sum(pool.map(lambda each: read_alone(each, list(range(1, 11))), people))
        seconds = time.perf_counter() - begun
        rows = list(csv.DictReader(io.StringIO(people[0].client.get("/api/decisions.csv").text)))
        requests = count * 10 * 7
        print(
            f"{count} blind readers: {decided} decisions acknowledged, {len(rows)} kept; {requests} requests "
            f"in {seconds:.1f} s"
        )
    with running(folder / "films", "--accounts") as (_, address, _, _):
        people = [Reader(address, name=f"reader {number}") for number in range(count)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            refused = sum(pool.map(draw_together, people, range(count)))
        seconds = time.perf_counter() - begun
        content = people[0].client.get("/api/items/1/mask").content
        wanted = np.zeros((SIDE, SIDE), np.uint8)
        for row in range(count):
            for column in range(10):
                wanted[10 * row : 10 * row + 9, 10 * column : 10 * column + 9] = 1
        same = np.array_equal(np.frombuffer(content, np.uint8).reshape(SIDE, SIDE), wanted)
        print(
            f"{count} readers on one mask: {10 * count} strokes, {refused} answered with 409 and repeated, "
            f"in {seconds:.1f} s; {'none' if same else 'SOME'} lost"
        )


def tiles(folder: Path) -> None:
    """Time the first opening of a large film, and its tiles."""
    rng = np.random.default_rng(0)
    film = cv2.GaussianBlur(rng.normal(20000, 9000, (4096, 3328)).astype(np.float32), (0, 0), 2)
    (folder / "films").mkdir(parents=True)
    for number in range(5):
        cv2.imwrite(str(folder / "films" / f"{number}.png"), (film + number).clip(0, 65535).astype(np.uint16))
    with running(folder / "films") as (_, address, query, _):
        reader = Reader(address, query)

        def timed(path: str) -> float:
            begun = time.perf_counter()
            reader.client.get(path).raise_for_status()
            return 1000 * (time.perf_counter() - begun)

        first = [timed(f"/api/items/{number}") for number in range(1, 6)]
        again = [timed(f"/api/items/{number}") for number in range(1, 6)]
        every = [timed(f"/api/items/1/tiles/0/{column}/{row}") for column in range(6) for row in range(8)]
        strokes = []
        for version in range(20):
            begun = time.perf_counter()
            reader.draw(1, version, (100 * version, 500, 90, 90), 1).raise_for_status()
            strokes.append(1000 * (time.perf_counter() - begun))
    print(
        f"4096 x 3328, 16 bits: first opening {statistics.median(first):.0f} ms, again "
        f"{statistics.median(again):.0f} ms, a tile {statistics.median(every):.1f} ms, a stroke saved "
        f"{statistics.median(strokes):.0f} ms (medians)"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("kills", "queue", "readers", "tiles"))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--images", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "queue":
            queue(given.images, Path(folder))
        elif given.what == "tiles":
            tiles(Path(folder))
        else:
            {"kills": kills, "readers": readers}[given.what](given.count, Path(folder))


if __name__ == "__main__":
    main()
