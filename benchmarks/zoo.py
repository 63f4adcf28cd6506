"""Does every architecture learn? Each is trained for a few minutes on phantoms and scored on others.

    python benchmarks/zoo.py                          all, 360 processor seconds each
    python benchmarks/zoo.py u2net swin-unet --seconds 60 --json out.json

Phantoms of 128 x 128 pixels, one class of lesion, training and test films of different persons. The figure is
the mean over test films of the Dice of the lesion; films without lesion and without prediction are left out.
An untrained model stands at about 0.02, a prediction of nothing at 0. Time is processor time, all cores added
up, so that other jobs on the machine do not shorten the training.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from flexunet.config.schema import Config
from flexunet.data.phantom import draw_phantom
from flexunet.evaluation.pixel_scores import confusion_matrix, foreground_counts, pixel_scores
from flexunet.models.initial import draw_initial_weights
from flexunet.models.operations_count import multiply_adds
from flexunet.models.registry import ARCHITECTURES, build_model
from flexunet.training.losses import categorical_focal_dice_loss, dice_loss_foreground

TRAINING, TEST, BATCH = 160, 40, 8
# Small enough to take some hundred steps on two cores within the time; all else is the default.
KEYS: dict[str, dict[str, Any]] = {
    "sharp-unet": {"filters": [16, 32, 64], "max_filter": 128},
    "swin-unet": {
        "filter_num_begin": 48,
        "depth": 3,
        "num_heads": [3, 6, 12],
        "window_size": [4, 4, 4],
        "num_mlp": 192,
    },
    "trans-unet": {
        "filter_num": [16, 32, 64],
        "embed_dim": 64,
        "num_heads": 4,
        "num_mlp": 128,
        "num_transformer": 4,
        "batch_norm": True,
    },
    # As published it collapses: no normalisation, and its features saturate every sigmoid.
    "u2net": {"final_activation": "softmax", "variant": "paper"},
}
COMMON = {"base_filters": 16, "num_layers": 4, "dropout_rate": 0.05, "input_normalize": True}


class TimeOverError(Exception):
    """The training time is over."""


class StopAfter(keras.callbacks.Callback):
    """Ends training when its time is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.end, self.steps = seconds, float("inf"), 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count the step, and look at the clock; it starts once the first step is compiled and done."""
        self.steps += 1
        if self.steps == 1:
            self.end = time.process_time() + self.seconds
        if time.process_time() > self.end:
            raise TimeOverError


def films(first: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 `(N, H, W, 3)` and masks uint8 `(N, H, W)`, a person each."""
    drawn = [draw_phantom(seed, size, size) for seed in range(first, first + count)]
    images = np.stack([film.image for film in drawn]).astype("float32")
    return np.repeat(images[..., None], 3, axis=-1), np.stack([film.mask for film in drawn])


def loss(truth: Any, prediction: Any) -> Any:
    """Cross-entropy with the published Dice term, and the Dice of the lesion."""
    return categorical_focal_dice_loss(truth, prediction) + dice_loss_foreground(truth, prediction)


def dice_per_image_mean(masks: np.ndarray, predictions: np.ndarray) -> float:
    """Mean Dice of the lesion over the films that have one or are given one."""
    confusion = np.stack(
        [confusion_matrix(mask, found, 2) for mask, found in zip(masks, predictions, strict=True)]
    )
    return float(np.nanmean(pixel_scores(*foreground_counts(confusion))["dice"]))


def run(name: str, size: int, seconds: float, rate: float) -> dict[str, Any]:
    """Train one architecture and score it."""
    config = Config(
        model={"model": name, "image_width": size, "image_height": size, **COMMON, **KEYS.get(name, {})}
    )
    keras.utils.set_random_seed(1)
    model = build_model(config)
    draw_initial_weights(model, 1)
    # In some hundred steps the moving statistics of momentum 0.99 do not reach those of the batches: UNet 3+
    # then scores 0.58 with the statistics of the batch and 0.03 with the moving ones.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    images, masks = films(0, TRAINING, size)
    test_images, test_masks = films(100_000, TEST, size)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss)
    watch = StopAfter(seconds)
    start = time.process_time()
    truth = np.eye(2, dtype="float32")[masks]
    with contextlib.suppress(TimeOverError):
        model.fit(images, truth, batch_size=BATCH, epochs=10_000, verbose=0, callbacks=[watch])
    trained = time.process_time() - start
    probabilities = ops.convert_to_numpy(model.predict(test_images, batch_size=BATCH, verbose=0))
    return {
        "model": name,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "steps": watch.steps,
        "seconds": round(trained, 1),
        "dice_per_image_mean": round(
            dice_per_image_mean(test_masks, probabilities.argmax(-1).astype("uint8")), 4
        ),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[entry.name for entry in ARCHITECTURES])
    parser.add_argument("--size", type=int, default=128, help="width and height of the films")
    parser.add_argument("--seconds", type=float, default=360.0, help="processor time of each training")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--json", help="file for the rows")
    options = parser.parse_args()
    rows = []
    print("| model | parameters | G multiply-adds | steps | seconds | dice_per_image_mean |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in options.names:
        row = run(name, options.size, options.seconds, options.rate)
        rows.append(row)
        print(
            f"| {name} | {row['parameters']:,} | {row['multiply_adds'] / 1e9:.2f} | {row['steps']} "
            f"| {row['seconds']:.0f} | {row['dice_per_image_mean']:.3f} |",
            flush=True,
        )
        keras.utils.clear_session(free_memory=True)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
