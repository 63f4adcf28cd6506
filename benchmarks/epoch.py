"""Epochs of the demo's model by `flexunet.train` against Keras's own `fit`, in turns.

    python benchmarks/epoch.py                 # 120,690 parameters, 128x128, 69 steps of four images
    python benchmarks/epoch.py --rounds 5 --arms ours plain

Each arm trains in a process of its own and reports the seconds of its epochs but the first: by the clock, of
the processor for the program and for the system. Ours validates, writes its checkpoint, its curves and its
journal each epoch; `fit` validates alone. Both train in float32, with the same loss and optimizer.
`--arms handed-back` is ours with the C library's own rule for freed memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ARMS = ("ours", "handed-back", "plain")
SIZE, BATCH, STEPS, VALID = 128, 4, 69, 48


def main() -> None:
    """Run the arms in turns and print their medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--precision", default="float32", choices=("float32", "auto"))
    parser.add_argument("--one", choices=ARMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(arguments.one, arguments.epochs, arguments.precision)))
        return
    rounds: dict[str, list[dict[str, float]]] = {arm: [] for arm in arguments.arms}
    for _ in range(arguments.rounds):
        for arm in arguments.arms:
            own = ["--one", arm, "--epochs", str(arguments.epochs), "--precision", arguments.precision]
            done = subprocess.run(
                [sys.executable, __file__, *own], check=True, stdout=subprocess.PIPE, text=True
            )
            rounds[arm].append(json.loads(done.stdout.splitlines()[-1]))
    print("| arm | seconds an epoch | processor, program | processor, system | peak memory, MiB |")
    print("|---|---|---|---|---|")
    for arm, found in rounds.items():
        middle = {key: statistics.median(each[key] for each in found) for key in found[0]}
        seconds = " | ".join(f"{middle[key]:.2f}" for key in ("clock", "user", "system"))
        print(f"| {arm} | {seconds} | {middle['peak']:.0f} |")


def run(arm: str, epochs: int, precision: str) -> dict[str, float]:
    """Seconds of an epoch of one arm, the first one left out."""
    import keras

    marks: list[tuple[float, float, float]] = []

    class Clock(keras.callbacks.Callback):
        """Notes the time at the end of each epoch."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            marks.append((time.perf_counter(), usage.ru_utime, usage.ru_stime))

    with tempfile.TemporaryDirectory() as folder:
        config = configured(Path(folder), epochs, precision)
        if arm == "plain":
            fit_plainly(config, epochs, Clock())
        else:
            import flexunet
            from flexunet.training import run as training_run

            if arm == "handed-back":
                training_run.keep_freed_memory = lambda: False  # type: ignore[assignment]
            flexunet.train(config, callbacks=[Clock()])
    spent = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(marks)]
    middle = map(statistics.median, zip(*spent, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return dict(zip(("clock", "user", "system"), middle, strict=True)) | {"peak": peak}


def configured(folder: Path, epochs: int, precision: str) -> Any:
    """A data set of noise and the configuration of the demo."""
    import numpy as np

    import flexunet
    from flexunet.data.images.files.write import write_image

    random = np.random.default_rng(0)
    for split, count in (("train", BATCH * STEPS), ("valid", VALID)):
        for number in range(count):
            image = random.integers(0, 256, (SIZE, SIZE, 1), np.uint8)
            write_image(folder / split / "images" / f"{number}.png", image)
            write_image(
                folder / split / "masks" / f"{number}.png", np.where(image > 200, 255, 0).astype(np.uint8)
            )
    keys = {
        "model": {
            "model": "flexunet",
            "image_width": SIZE,
            "image_height": SIZE,
            "image_channels": 1,
            "base_filters": 8,
            "base_kernels": (3, 3),
            "num_layers": 4,
            "dropout_rate": 0.04,
            "loss": "categorical_crossentropy",
            "metrics": ["dice_coef_multiclass"],
        },
        "train": {
            "run_dir": str(folder / "run"),
            "epochs": epochs,
            "batch_size": BATCH,
            "precision": precision,
            "images_dir": str(folder / "train/images"),
            "masks_dir": str(folder / "train/masks"),
        },
        "valid": {
            "images_dir": str(folder / "valid/images"),
            "masks_dir": str(folder / "valid/masks"),
        },
    }
    return flexunet.Config(**keys)


def fit_plainly(config: Any, epochs: int, clock: Any) -> None:
    """The same model in Keras's own `fit`, its images in memory."""
    import numpy as np

    import flexunet
    from flexunet.data.configured import open_split

    model = flexunet.build_model(config)
    optimizer = {"learning_rate": config.model.learning_rate, "clipvalue": config.model.clipvalue}
    import keras

    loss = "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(**optimizer), loss, metrics=["accuracy"], jit_compile=False)
    arrays = []
    for split in ("train", "valid"):
        cache = open_split(config, split)
        pixels, masks = cache.read(np.arange(len(cache)))
        truth = keras.utils.to_categorical(masks.reshape(len(masks), SIZE, SIZE), 2)
        arrays.append((pixels.astype("float32"), truth))
    (train, train_truth), valid = arrays
    model.fit(
        train,
        train_truth,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=valid,
        callbacks=[clock],
        verbose=0,
    )


if __name__ == "__main__":
    main()
