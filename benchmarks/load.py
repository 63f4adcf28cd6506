"""Images a second of the loader against reading files each time, and memory for 200 and 2,000 images.

    python benchmarks/load.py                      # table; --json FILE writes the figures too
    python benchmarks/load.py --counts 50,500      # a smaller run

Images are smooth noise with a disc, 512 x 512 RGB PNG, masks black and white RGB PNG as the published data
sets have them. The arms alternate, and the median counts, so that other work on the machine hits all alike.
Each memory figure is the peak of a process of its own that decodes the data set and runs through it.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from flexunet.data.cache.open import open_cache
from flexunet.data.cache.pair_reader import PairReader
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.pixels import to_model_range
from flexunet.training.batches.dataset import Batches, encode_targets

SIDE, BATCH = 512, 2
MASKS = MaskReader()
READER = PairReader(SIDE, SIDE, 3, MASKS)
MIB = 2**20
MOMENTS = ("start", "after decoding", "after two epochs")


def write_dataset(root: Path, count: int) -> None:
    """Write images and masks."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(SIDE * 2, SIDE * 2)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX).astype(
        np.uint8
    )
    for index in range(count):
        x, y = generator.integers(0, SIDE, 2)
        image = np.repeat(texture[y : y + SIDE, x : x + SIDE, None], 3, axis=2)
        mask = np.zeros_like(image)
        cv2.circle(mask, (int(x), int(y)), 40, (255, 255, 255), -1, cv2.LINE_AA)
        write_image(root / "images" / f"{index:05}.png", image)
        write_image(root / "masks" / f"{index:05}.png", mask)


def pairs_of(root: Path) -> list:
    """Pairs of the data set."""
    return find_pairs(root / "images", root / "masks")


def open_at(root: Path):
    """Open the cache beside the data set."""
    options = {"width": SIDE, "height": SIDE, "channels": 3, "masks": MASKS}
    return open_cache(pairs_of(root), cache_dir=root / "cache", **options)


def per_second(count: int, work) -> float:
    """How many of `count` things a second some work does."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def run_epoch(batches) -> None:
    """Prepare every batch once."""
    for index in range(len(batches)):
        batches[index]


def read_files_each_time(pairs: list) -> None:
    """Prepare every batch from the files, as a loader without cache does."""
    for start in range(0, len(pairs), BATCH):
        read = [READER.read(pair) for pair in pairs[start : start + BATCH]]
        images, masks = (np.stack(arrays) for arrays in zip(*read, strict=True))
        to_model_range(images), encode_targets(masks, 2)


def measure_speed(root: Path, rounds: int) -> dict[str, float]:
    """Images a second of each arm, median of alternating rounds."""
    pairs = pairs_of(root)
    open_at(root)
    batches = Batches(open_at(root), BATCH, 2, shuffle=True, seed=1)

    def with_pool(pool_class) -> float:
        with pool_class(2) as pool:
            list(pool.map(READER.read, pairs[:4]))  # start-up of the workers is not counted
            return per_second(len(pairs), lambda: list(pool.map(READER.read, pairs, chunksize=4)))

    arms = {
        "cache, batches": lambda: per_second(len(pairs), lambda: run_epoch(batches)),
        "files each time, batches": lambda: per_second(len(pairs), lambda: read_files_each_time(pairs)),
        "open an existing cache": lambda: per_second(len(pairs), lambda: open_at(root)),
        "decode, 1 thread": lambda: per_second(len(pairs), lambda: list(map(READER.read, pairs))),
        "decode, 2 threads": lambda: with_pool(ThreadPoolExecutor),
        "decode, 2 processes": lambda: with_pool(ProcessPoolExecutor),
    }
    found: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            found[name].append(arm())
    return {name: statistics.median(values) for name, values in found.items()}


def measure_wait(root: Path, workers: int, step: float = 0.05) -> float:
    """Milliseconds that a training step of `step` seconds waits for its batch."""
    import keras

    class Sleeper(keras.Model):
        def call(self, images):
            return images

        def train_step(self, data):
            time.sleep(step)
            return {"loss": 0.0}

    model = Sleeper()
    model.compile(loss="mse", run_eagerly=True)
    batches = Batches(open_at(root), BATCH, 2, shuffle=True, seed=1, workers=workers)
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    start = time.perf_counter()
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    return ((time.perf_counter() - start) / len(batches) - step) * 1000


def peak_mib() -> float:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would do, but on Linux a child inherits the peak of its parent
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def report_memory(root: Path, count: int) -> None:
    """Run in a process of its own: decode, then two epochs."""
    import keras  # noqa: F401 - part of the start, not of the loader

    before = peak_mib()
    write_dataset(root, count)
    cache = open_at(root)
    decoded = peak_mib()
    batches = Batches(cache, BATCH, 2, shuffle=True, seed=1)
    for batches.epoch in range(2):
        run_epoch(batches)
    size = cache.images.nbytes + cache.masks.nbytes
    figures = {
        "start": before,
        "after decoding": decoded,
        "after two epochs": peak_mib(),
        "cache": size / MIB,
    }
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


def measure_memory(count: int) -> dict[str, float]:
    """Peak memory of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--memory-of", str(count), "--folder", folder]
        environment = os.environ | {"KERAS_BACKEND": "numpy"}  # an engine's own start-up peak would hide ours
        finished = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return json.loads(finished.stdout)


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="200,2000", help="numbers of images for the memory figures")
    parser.add_argument("--images", type=int, default=100, help="number of images for the speed figures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        report_memory(arguments.folder, arguments.memory_of)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), arguments.images)
        speed = measure_speed(Path(folder), arguments.rounds)
        wait = {workers: measure_wait(Path(folder), workers) for workers in (1, 2)}
    print(f"{'images a second, ' + str(SIDE) + ' x ' + str(SIDE) + ' RGB with mask':<48}{'':>4}")
    for name, value in speed.items():
        print(f"  {name:<46}{value:>10.1f}")
    ratio = speed["cache, batches"] / speed["files each time, batches"]
    print(f"  {'cache against files each time':<46}{ratio:>10.1f} x")
    for workers, milliseconds in wait.items():
        print(f"  {f'a 50 ms step waits, workers={workers}':<46}{milliseconds:>10.1f} ms")
    memory = {}
    print(f"{'peak memory, MiB':<38}" + "".join(f"{moment:>18}" for moment in MOMENTS))
    for count in map(int, arguments.counts.split(",")):
        memory[count] = measure_memory(count)
        row = "".join(f"{memory[count][moment]:>18.0f}" for moment in MOMENTS)
        name = f"{count} images (cache {memory[count]['cache']:.0f} MiB)"
        print(f"  {name:<36}{row}")
    if arguments.json:
        figures = {"speed": speed, "ratio": ratio, "wait_ms": wait, "memory_mib": memory}
        machine = {"processors": os.cpu_count(), "load": os.getloadavg(), "platform": platform.platform()}
        arguments.json.write_text(json.dumps(figures | {"machine": machine}, indent=1))


if __name__ == "__main__":
    main()
