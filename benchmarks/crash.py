"""Kill training runs with SIGKILL at random moments, go on, and compare with a run that nobody killed.

    python benchmarks/crash.py --kills 20                       of each configuration; prints a table
    python benchmarks/crash.py --kills 20 --folder /tmp/crash   the same; started again, it goes on

The code is that of HEAD, copied into the folder first: edits in the meantime change nothing. Each run goes
through the real command line. The moments: any time after the run folder is taken, while a checkpoint is
being written, within a step just after one, and at the change of an epoch. A run that comes to its end is
compared, and another one begins, until enough were killed. Weights, optimizer, best model, CSV, history and
epoch pictures must be the same to the bit. `tests/end_to_end/test_killed.py` does so with a few kills.

The configurations: `published`, with dropout, augmentation, reducer and patience; `everything`, with a cosine
after a warm-up, an average of the weights, groups of steps, heads at coarser levels, batch normalisation and
mixed bfloat16 in place of the reducer.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
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
{model}
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 2
epochs = 4
steps_per_epoch = 12
patience = 3
num_infer_images = 1
checkpoint_steps = 2
{train}
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
[augmentor]
rotation = true
hflip = true
"""
SETTINGS = {
    "published": {
        "model": "",
        "train": 'precision = "float32"\nlearning_rate_reducer = true\nreducer_patience = 1',
    },
    "everything": {
        "model": "normalization = true\ndeep_supervision = true",
        "train": """precision = "mixed_bfloat16"
learning_rate_schedule = "cosine"
warmup_steps = 3
ema_momentum = 0.9
accumulate_steps = 5""",
    },
}
MOMENTS = ("any time", "writing a checkpoint", "after a checkpoint", "change of epoch")
TEXTS = ("eval/train_losses.csv", "eval/train_metrics.csv", "history.json")


def freeze(folder: Path) -> str:
    """Copy the code of HEAD into a folder, and tell its commit; what lies there already stays."""
    said = folder / "commit.txt"
    if not said.is_file():
        top = Path(__file__).resolve().parents[1]
        archive = subprocess.run(["git", "archive", "HEAD", "src"], cwd=top, check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        head = ["git", "rev-parse", "--short", "HEAD"]
        said.write_text(subprocess.run(head, cwd=top, check=True, capture_output=True, text=True).stdout)
    return said.read_text().strip()


def make_project(folder: Path, name: str) -> None:
    """A tiny data set and its configuration."""
    from flexunet.data.phantom.dataset import write_phantom_dataset

    if not (folder / "config.toml").is_file():
        write_phantom_dataset(
            folder / "dataset", patients=3, splits={"train": 0.67, "valid": 0.33}, width=32, height=32
        )
        (folder / "config.toml").write_text(CONFIG.format(**SETTINGS[name]))


def start(project: Path, run: Path, resume: str, code: Path | None) -> subprocess.Popen[str]:
    """A training process, with the code in a folder or with this process's own."""
    command = ["train", project / "config.toml", "--run", run, "--resume", resume]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"}
    if code:
        environment["PYTHONPATH"] = str(code / "src")
    return subprocess.Popen(
        [sys.executable, "-m", "flexunet", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
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
    found: dict[str, object] = {name: (run / name).read_text() for name in TEXTS}
    found |= {path.name: path.read_bytes() for path in (run / "epoch_change_infer").iterdir()}
    with np.load(run / "checkpoints" / "checkpoint.npz", allow_pickle=False) as arrays:
        found |= {name: arrays[name] for name in arrays.files if "/" in name}
        found["callbacks"] = json.loads(arrays["state.json"])["callbacks"]
    with zipfile.ZipFile(run / "models" / "best_model.keras") as file:
        weights = h5py.File(io.BytesIO(file.read("model.weights.h5")))

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[f"best/{name}"] = item[()]

    weights.visititems(keep)
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
    folder: Path,
    kills: int,
    seed: int,
    say: Callable[[str], object] = print,
    name: str = "published",
    code: Path | None = None,
) -> tuple[Counter[str], list[str]]:
    """Kill runs until enough were killed and the last one came to its end.

    What was compared is noted in the folder; started again there, only the rest is done.

    Returns:
        Kills by kind of moment, and what differed from the run that nobody killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_project(folder, name)
    ledger = folder / "ledger.json"
    notes = json.loads(ledger.read_text()) if ledger.is_file() else {"attempts": 0, "runs": []}
    # The page of the epochs bears the name of its run, so all have one name.
    whole = folder / "unstopped" / "run"
    if "length" not in notes:
        process = start(folder, whole, "never", code)
        wait_for(process, (whole / "checkpoints" / "running.json").is_file)
        began = time.monotonic()
        finish(process)
        notes["length"] = time.monotonic() - began
    expected = outcome(whole)
    say(f"{name}: {len(expected)} things to compare; a run takes {notes['length']:.1f} s from the lock on")

    def killed() -> Counter[str]:
        return Counter(kind for run in notes["runs"] for kind in run["kills"])

    while not notes["runs"] or killed().total() < kills:
        # A number of its own even where an earlier attempt was cut off: its process may live still.
        notes["attempts"] += 1
        ledger.write_text(json.dumps(notes))
        run = folder / f"killed{notes['attempts']}" / "run"
        draw = random.Random(f"{seed} {name} {notes['attempts']}")
        moments: list[str] = []
        while True:
            process = start(folder, run, "auto", code)
            kind, came = "", False
            if killed().total() + len(moments) < kills:
                kind, came = wait_for_moment(process, run, draw, notes["length"])
            if not came:
                finish(process)
                break
            process.kill()
            process.communicate()
            moments.append(kind)
            say(f"kill {killed().total() + len(moments)}: {kind}")
        found = differences(expected, outcome(run))
        notes["runs"].append({"kills": moments, "differing": found})
        ledger.write_text(json.dumps(notes))
        verdict = f"DIFFERENT: {found}" if found else "the same to the bit"
        say(f"run {len(notes['runs'])} ended: {verdict}")
    return killed(), [name for run in notes["runs"] for name in run["differing"]]


def main() -> None:
    """Kill, go on, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of each configuration")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="kept, and gone on with; none: a temporary one")
    parser.add_argument("--only", choices=SETTINGS, help="one configuration alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        commit = freeze(folder)
        rows = []
        for name in [options.only] if options.only else SETTINGS:
            killed, differing = kill_runs(
                folder / name,
                options.kills,
                options.seed,
                lambda text: print(text, flush=True),
                name,
                folder,
            )
            rows.append((name, killed, differing))
    print(f"\ncommit {commit}, engine {os.environ.get('KERAS_BACKEND', 'tensorflow')}")
    print(f"{'configuration':<14}" + "".join(f"{kind:>22}" for kind in MOMENTS) + f"{'kills':>7}  verdict")
    for name, killed, differing in rows:
        counts = "".join(f"{killed[kind]:>22}" for kind in MOMENTS)
        print(f"{name:<14}{counts}{killed.total():>7}  {differing or 'all the same to the bit'}")
    sys.exit(1 if any(differing for _, _, differing in rows) else 0)


if __name__ == "__main__":
    main()
