"""Does every architecture learn? Each is trained for a few minutes on phantoms and scored on others.

    python benchmarks/zoo.py --out zoo.jsonl             all; a second call goes on where the first stopped
    python benchmarks/zoo.py --out zoo.jsonl --only u2net swin-unet

Phantoms of 64 x 64 pixels, one class of lesion, training and test films of different persons. The figure is
the mean over films of the Dice of the lesion; films without lesion and without prediction are left out. A
prediction of nothing scores 0, and the column "untrained" is the model's own start. A training ends after its
steps or its processor time, all cores added up (so that other jobs on the machine do not shorten it),
whichever comes first; the first step, which the engine compiles, does not count. Rows are written as soon as
they are measured, and those that the file holds already, with the same settings, are not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from flexunet.config.architectures import ARCHITECTURES
from flexunet.config.schema import Config
from flexunet.data.phantom.draw import draw_phantom
from flexunet.evaluation.scores.pixels import confusion_matrix, foreground_counts, pixel_scores
from flexunet.models.initial import draw_initial_weights
from flexunet.models.operations_count import multiply_adds
from flexunet.models.precision import choose_jit
from flexunet.models.registry import build_model
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.objectives.losses import categorical_focal_dice_loss, dice_loss_foreground

TRAINING, TEST, BATCH, RATE = 640, 80, 8, 1e-3
# In some hundred steps the moving statistics of Keras's momentum, 0.99, do not reach those of the batches.
MOMENTUM = 0.9
COMMON = {"base_filters": 16, "num_layers": 4, "dropout_rate": 0.05, "input_normalize": True}
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
    "u2net": {"final_activation": "softmax", "variant": "paper"},
}
# Beside the rows named after the architectures: what as published does not learn here, and heads.
MORE_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "u2net as published": ("u2net", {}),
    "u2net published, softmax": ("u2net", {"final_activation": "softmax"}),
    "flexunet, deep supervision": ("flexunet", {"deep_supervision": True}),
    "resenc-unet, deep supervision": ("resenc-unet", {"deep_supervision": True}),
}


def row_keys(row: str) -> dict[str, Any]:
    """Keys of `[model]` of a row of the table."""
    name, keys = MORE_ROWS.get(row, (row, KEYS.get(row, {})))
    return {"model": name, **COMMON, **keys}


def films(first: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 `(N, H, W, 3)` and masks uint8 `(N, H, W)`, a person each."""
    drawn = [draw_phantom(seed, size, size) for seed in range(first, first + count)]
    images = np.stack([film.image for film in drawn]).astype("float32")
    return np.repeat(images[..., None], 3, axis=-1), np.stack([film.mask for film in drawn])


def loss(truth: Any, prediction: Any) -> Any:
    """Cross-entropy with the published Dice term, and the Dice of the lesion."""
    return categorical_focal_dice_loss(truth, prediction) + dice_loss_foreground(truth, prediction)


def dice_per_image_mean(model: keras.Model, images: np.ndarray, masks: np.ndarray) -> float:
    """Mean Dice of the lesion over the films that have one or are given one."""
    predictions = model.predict(images, batch_size=BATCH, verbose=0).argmax(-1).astype("uint8")
    confusion = np.stack(
        [confusion_matrix(mask, found, 2) for mask, found in zip(masks, predictions, strict=True)]
    )
    return round(float(np.nanmean(pixel_scores(*foreground_counts(confusion))["dice"])), 4)


def fit(
    model: keras.Model, images: np.ndarray, masks: np.ndarray, steps: int, seconds: float
) -> tuple[int, float]:
    """Train for so many steps or processor seconds: those it came to, the first step not counted."""
    order = np.random.default_rng(0)
    one_hot = np.eye(2, dtype="float32")
    done, start = 0, None
    while True:
        shuffled = order.permutation(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            chosen = shuffled[first : first + BATCH]
            model.train_on_batch(images[chosen], one_hot[masks[chosen]])
            start = start or time.process_time()
            done += 1
            if done >= steps or time.process_time() - start > seconds:
                return done, time.process_time() - start


def measure(row: str, size: int, steps: int, seconds: float, momentum: float) -> dict[str, Any]:
    """Train one architecture and score it."""
    keras.utils.set_random_seed(1)
    config = Config(model={"image_width": size, "image_height": size, **row_keys(row)})
    model = build_model(config)
    draw_initial_weights(model, 1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    trained = supervise_deeply(model, config) if config.model.deep_supervision else model
    trained.compile(keras.optimizers.Adam(RATE, clipnorm=1.0), loss, jit_compile=choose_jit("auto"))
    images, masks = films(0, TRAINING, size)
    test_images, test_masks = films(100_000, TEST, size)
    untrained = dice_per_image_mean(trained, test_images, test_masks)
    done, taken = fit(trained, images, masks, steps, seconds)
    return {
        "model": row,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "steps_done": done,
        "seconds_taken": round(taken, 1),
        "untrained": untrained,
        "training_films": dice_per_image_mean(trained, images[:TEST], masks[:TEST]),
        "test_films": dice_per_image_mean(trained, test_images, test_masks),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file of the rows, a JSON document a line")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="these rows; all if left out")
    parser.add_argument("--size", type=int, default=64, help="width and height of the films")
    parser.add_argument("--steps", type=int, default=600, help="most steps of a training")
    parser.add_argument("--seconds", type=float, default=180.0, help="most processor seconds of a training")
    parser.add_argument("--momentum", type=float, default=MOMENTUM, help="of all batch normalisation")
    options = parser.parse_args()
    wanted = options.only or [*(entry.name for entry in ARCHITECTURES), *MORE_ROWS]
    settings = {key: getattr(options, key) for key in ("size", "steps", "seconds", "momentum")}
    lines = options.out.read_text(encoding="utf-8").splitlines() if options.out.is_file() else []
    rows = {(row["model"], *(row[key] for key in settings)): row for row in map(json.loads, lines)}
    titles = "parameters", "G multiply-adds", "steps", "CPU s", "untrained", "training films", "test films"
    print(f"| model | {' | '.join(titles)} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in wanted:
        row = rows.get((name, *settings.values()))
        if row is None:
            row = {**measure(name, **settings), **settings}
            keras.utils.clear_session(free_memory=True)
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        print(
            f"| {name} | {row['parameters']:,} | {row['multiply_adds'] / 1e9:.2f} | {row['steps_done']} "
            f"| {row['seconds_taken']:.0f} | {row['untrained']:.3f} | {row['training_films']:.3f} "
            f"| {row['test_films']:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
