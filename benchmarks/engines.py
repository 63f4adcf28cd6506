"""One configuration on TensorFlow, JAX and PyTorch: equal losses from equal weights, weights for each other.

    python benchmarks/engines.py                     a small model, seconds of work an engine
    python benchmarks/engines.py --size 128 --filters 16 --layers 5

Each engine has a process of its own. All draw the initial weights from the seed (they must agree to the bit)
and load those that the first engine wrote; take the same training steps in float32; save what they have
learnt as .keras and .weights.h5; and load and predict with what each of the others saved. Dropout is off: the
engines draw its masks differently. Exit code 1 where losses of the first step differ by more than 1e-4, or
probabilities of weights that another engine saved by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("tensorflow", "jax", "torch")
SUFFIXES = (".keras", ".weights.h5")
TOLERANCE = 1e-4


def work(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What one engine does; the others are waited for through the files that they write."""
    import keras

    from flexunet.config.schema import Config
    from flexunet.files import replacing
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model
    from flexunet.models.weights.load import load_weights, save_weights
    from flexunet.training.compiling import compile_model

    config = Config(
        model={
            "image_width": options.size,
            "image_height": options.size,
            "image_channels": 1,
            "base_filters": options.filters,
            "num_layers": options.layers,
            "dropout_rate": 0.0,
            "normalization": True,
            "learning_rate": 0.001,
            "loss": options.loss,
            "metrics": ["dice_coef_multiclass"],
        }
    )
    engine = keras.config.backend()
    model = build_model(config, policy="float32")
    draw_initial_weights(model, config.train.seed)
    drawn = np.concatenate([np.ravel(values) for values in model.get_weights()])
    start = folder / "start.weights.h5"
    if engine == ENGINES[0]:
        save_weights(model, start)
    wait_for(start)
    load_weights(model, start)
    np.save(folder / f"{engine}.drawn.npy", drawn)

    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (4, options.size, options.size, 1)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[(images[..., 0] > 180).astype(int)]
    compile_model(config, model)
    losses = [
        float(model.train_on_batch(images, targets, return_dict=True)["loss"]) for _ in range(options.steps)
    ]
    for suffix in SUFFIXES:
        save_weights(model, folder / f"{engine}{suffix}")
    with replacing(folder / f"{engine}.saved.npy") as temporary, temporary.open("wb") as file:
        np.save(file, np.asarray(model.predict_on_batch(images), np.float32))

    differences: dict[str, dict[str, float]] = {}
    for other in ENGINES:
        answer = wait_for(folder / f"{other}.saved.npy")
        for suffix in SUFFIXES:
            fresh = build_model(config, policy="float32")
            load_weights(fresh, folder / f"{other}{suffix}")
            found = np.asarray(fresh.predict_on_batch(images), np.float32)
            differences.setdefault(suffix, {})[other] = float(np.abs(found - np.load(answer)).max())
    return {"engine": engine, "losses": losses, "differences": differences}


def wait_for(path: Path, seconds: float = 600) -> Path:
    """Wait until another process has written a file; what is waited for appears whole, by renaming."""
    end = time.monotonic() + seconds
    while not path.is_file():
        if time.monotonic() > end:
            raise TimeoutError(f"{path} did not come")
        time.sleep(0.05)
    return path


def compare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Let every engine work in a process of its own, and put together what they found."""
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, *arguments_of(options), "--work", str(folder)],
            env={**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for engine in ENGINES
    ]
    answers = [process.communicate()[0] for process in processes]
    for process, answer in zip(processes, answers, strict=True):
        if process.returncode:
            raise RuntimeError(f"{process.args} ended with {process.returncode}: {answer}")
    found = [json.loads(answer.splitlines()[-1]) for answer in answers]
    drawn = [np.load(folder / f"{engine}.drawn.npy") for engine in ENGINES]
    return {
        "losses": {each["engine"]: each["losses"] for each in found},
        "differences": {each["engine"]: each["differences"] for each in found},
        "initial_weights_equal": all(np.array_equal(each, drawn[0]) for each in drawn),
        "parameters": int(drawn[0].size),
    }


def arguments_of(options: argparse.Namespace) -> list[str]:
    """The options as they are written at the command line."""
    names = ("size", "filters", "layers", "steps", "loss")
    return [f"--{name}={getattr(options, name)}" for name in names]


def failures(result: dict[str, Any]) -> list[str]:
    """What is further apart than it may be."""
    first = {engine: losses[0] for engine, losses in result["losses"].items()}
    wrong = [] if result["initial_weights_equal"] else ["initial weights differ"]
    if max(first.values()) - min(first.values()) > TOLERANCE:
        wrong.append(f"losses of the first step: {first}")
    for reader, by_suffix in result["differences"].items():
        for suffix, by_writer in by_suffix.items():
            wrong += [
                f"{reader} reads {writer}{suffix}: {difference}"
                for writer, difference in by_writer.items()
                if difference > TOLERANCE
            ]
    return wrong


def main() -> int:
    """Read the options, compare, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--filters", type=int, default=4)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--loss", default="categorical_crossentropy")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.work, options)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = compare(Path(folder), options)
    print(
        f"{result['parameters']:,} weights, {options.size} x {options.size}, float32; initial weights drawn "
        f"from one seed are {'equal to the bit' if result['initial_weights_equal'] else 'NOT equal'}\n"
    )
    print(f"{'loss of step':14}" + "".join(f"{engine:>14}" for engine in ENGINES) + f"{'spread':>12}")
    for step, values in enumerate(zip(*result["losses"].values(), strict=True), start=1):
        spread = max(values) - min(values)
        print(f"{step:<14}" + "".join(f"{value:14.7f}" for value in values) + f"{spread:12.1e}")
    for suffix in SUFFIXES:
        print(f"\nlargest difference of a probability, weights as {suffix}")
        print(f"{'saved by':14}" + "".join(f"{'read by ' + engine:>20}" for engine in ENGINES))
        for writer in ENGINES:
            row = (result["differences"][reader][suffix][writer] for reader in ENGINES)
            print(f"{writer:14}" + "".join(f"{difference:20.1e}" for difference in row))
    wrong = failures(result)
    print("\n" + ("\n".join(wrong) or "all within 1e-4"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
