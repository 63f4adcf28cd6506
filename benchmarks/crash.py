"""Kill a training run with SIGKILL at random moments, go on, and compare with a run that nobody killed.

    python benchmarks/crash.py --kills 20 --seed 5

Each run goes through the real command line. The moments: any time after the run folder is taken, while a
checkpoint is being written, just after one, and at the change of an epoch. A run that comes to its end is
compared, and another one begins, until enough were killed. Weights, optimizer, best model, CSV, history
and epoch pictures must be the same to the bit. `tests/end_to_end/test_killed.py` does so with a few kills.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 3
dropout_rate = 0.1
learning_rate = 0.01
generator = true
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 2
epochs = 4
steps_per_epoch = 12
precision = "float32"
learning_rate_reducer = true
reducer_patience = 1
num_infer_images = 1
checkpoint_steps = 2
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
[augmentor]
rotation = true
hflip = true
"""
MOMENTS = ("any time", "writing a checkpoint", "after a checkpoint", "change of epoch")
TEXTS = ("eval/train_losses.csv", "eval/train_metrics.csv", "history.json")


def code_digest() -> str:
    """Digest of FlexUNet's own code: a comparison holds only while it stays the same."""
    import flexunet

    files = sorted(Path(flexunet.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def make_project(folder: Path) -> None:
    """A tiny data set and its configuration."""
    from flexunet.data.phantom_dataset import write_phantom_dataset

    write_phantom_dataset(
        folder / "dataset", patients=3, splits={"train": 0.67, "valid": 0.33}, width=32, height=32
    )
    (folder / "config.toml").write_text(CONFIG)


def start(project: Path, run: Path, resume: str) -> subprocess.Popen[str]:
    """A training process."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flexunet",
            "train",
            project / "config.toml",
            "--run",
            run,
            "--resume",
            resume,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"},
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end; anything but success is an error."""
    _, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"a training run failed with {process.returncode}:\n{errors[-3000:]}")


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool]) -> bool:
    """Wait until something happens; False if the process ended before."""
    while process.poll() is None:
        if happened():
            return True
        time.sleep(0.001)
    return False


def changes(path: Path) -> Callable[[], bool]:
    """Tells whether a file is another one than at first."""

    def identity() -> int | None:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return None

    first = identity()
    return lambda: identity() != first


def wait_for_moment(
    process: subprocess.Popen[str], run: Path, draw: random.Random, length: float
) -> tuple[str, bool]:
    """Wait for a random moment of a run: its kind, and whether it came before the run's end.

    Args:
        process: The run.
        run: Its folder.
        draw: Where chance comes from.
        length: Seconds from the lock to the end of a run that is left alone.
    """
    checkpoints = run / "checkpoints"
    kind = draw.choice(MOMENTS)
    if not wait_for(process, (checkpoints / "running.json").is_file):
        return kind, False
    if kind == "any time":
        until = time.monotonic() + draw.uniform(0, length)
        return kind, wait_for(process, lambda: time.monotonic() >= until)
    came = True
    if kind == "writing a checkpoint":
        for _ in range(draw.randint(1, 4)):
            came = came and wait_for(process, lambda: not any(checkpoints.glob(".checkpoint.*")))
            came = came and wait_for(process, lambda: any(checkpoints.glob(".checkpoint.*")))
        return kind, came
    watched = run / "history.json" if kind == "change of epoch" else checkpoints / "checkpoint.npz"
    for _ in range(draw.randint(1, 4) if kind == "after a checkpoint" else 1):
        came = came and wait_for(process, changes(watched))
    until = time.monotonic() + draw.uniform(0, 0.1)
    return kind, came and wait_for(process, lambda: time.monotonic() >= until)


def outcome(run: Path) -> dict[str, object]:
    """All that a finished run leaves, by name."""
    import keras

    found: dict[str, object] = {name: (run / name).read_text() for name in TEXTS}
    found |= {path.name: path.read_bytes() for path in (run / "epoch_change_infer").iterdir()}
    with np.load(run / "checkpoints" / "checkpoint.npz", allow_pickle=False) as arrays:
        found |= {name: arrays[name] for name in arrays.files if "/" in name}
        found["callbacks"] = json.loads(arrays["state.json"])["callbacks"]
    model = keras.saving.load_model(run / "models" / "best_model.keras", compile=False)
    found |= {f"best/{v.path}": np.array(keras.ops.convert_to_numpy(v)) for v in model.weights}
    return found


def differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """Names of what is not the same to the bit."""
    return sorted(
        name
        for name in one.keys() | other.keys()
        if name not in one
        or name not in other
        or (
            not np.array_equal(one[name], other[name])
            if isinstance(one[name], np.ndarray)
            else one[name] != other[name]
        )
    )


def kill_runs(
    folder: Path, kills: int, seed: int, say: Callable[[str], object] = print
) -> tuple[Counter[str], list[str]]:
    """Kill runs until enough were killed and the last one came to its end.

    Returns:
        Kills by kind of moment, and what differed from the run that nobody killed.
    """
    draw = random.Random(seed)
    code = code_digest()
    make_project(folder)
    whole = folder / "unstopped"
    process = start(folder, whole, "never")
    wait_for(process, (whole / "checkpoints" / "running.json").is_file)
    began = time.monotonic()
    finish(process)
    length = time.monotonic() - began
    expected = outcome(whole)
    say(f"{len(expected)} things to compare; a run takes {length:.1f} s from the lock on")
    killed: Counter[str] = Counter()
    differing: list[str] = []
    attempt = 0
    while not attempt or killed.total() < kills:
        run = folder / f"killed{attempt}"
        attempt += 1
        while True:
            process = start(folder, run, "auto")
            came = False
            if killed.total() < kills:
                kind, came = wait_for_moment(process, run, draw, length)
            if came:
                process.kill()
                process.communicate()
                killed[kind] += 1
                say(f"kill {killed.total()}: {kind}")
                continue
            finish(process)
            break
        found = differences(expected, outcome(run))
        differing += found
        say(f"run {attempt} ended: {'the same to the bit' if not found else f'DIFFERENT: {found}'}")
    if code_digest() != code:
        raise SystemExit("the code changed in the meantime: this comparison is void, run it again")
    return killed, differing


def main() -> None:
    """Kill, go on, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        killed, differing = kill_runs(
            Path(folder), options.kills, options.seed, lambda text: print(text, flush=True)
        )
    verdict = differing or "all the same to the bit"
    print(f"{killed.total()} kills ({dict(killed)}): {verdict}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
