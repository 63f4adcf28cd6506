"""Lesions found after training on whole films, resized, and on crops of them at full resolution.

    python benchmarks/crops_recall.py                          # about 5 minutes on 2 idle cores
    python benchmarks/crops_recall.py --patients 8 --epochs 1 --steps 5   # a smoke test

One model of 64 x 64 pixels, one number of steps, phantoms of 256 x 256, four ways to feed it: whole films
resized to it, the same with lesions in half of each batch, random crops of 64 x 64, and crops of which a
third hold a lesion. Each is measured as `flexunet evaluate` does, on whole test films of other persons.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from flexunet.config.files import load_config
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.evaluation.run import evaluate
from flexunet.training.run import train

CONFIG = """
[model]
image_width = 64
image_height = 64
image_channels = 1
base_filters = 12
num_layers = 4
normalization = true
learning_rate = 0.002
loss = "categorical_focal_dice_loss"
metrics = ["dice_coef_foreground"]
generator = true
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 8
epochs = {epochs}
steps_per_epoch = {steps}
patience = 1000
num_infer_images = 0
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
[augmentor]
hflip = true
vflip = true
rotation = false
[evaluate]
bootstrap_samples = 500
"""

WAYS = {
    "whole films, resized": [],
    "whole films, half of each batch with a lesion": ["train.lesion_share=0.5"],
    "random crops": ["train.crop=random"],
    "random crops, a third with a lesion": ["train.crop=random", "train.lesion_share=0.33"],
}


def measure(folder: Path, name: str, settings: list[str]) -> dict[str, object]:
    """Train and evaluate one way."""
    run = folder / f"run-{list(WAYS).index(name)}"
    keras.utils.clear_session()
    config = load_config(folder / "config.toml", [f"train.run_dir={run.as_posix()}", *settings])
    began = time.perf_counter()
    result = train(config)
    seconds = time.perf_counter() - began
    scores = evaluate(config, calibrate=False).scores
    sensitivity = scores.lesions.sensitivity
    return {
        "way": name,
        "seconds": round(seconds),
        "best_epoch": result.best_epoch,
        "lesions": scores.lesions.lesions,
        "found": scores.lesions.found,
        "sensitivity": [sensitivity.value, sensitivity.low, sensitivity.high],
        "false_positives_per_image": scores.lesions.false_positives_per_image.value,
        "dice_per_image_mean": scores.foreground.dice_per_image_mean.value,
    }


def main() -> None:
    """Draw the films, and measure each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_phantom_dataset(folder / "dataset", patients=arguments.patients, width=256, height=256)
        (folder / "config.toml").write_text(CONFIG.format(epochs=arguments.epochs, steps=arguments.steps))
        for name, settings in WAYS.items():
            found.append(measure(folder, name, settings))
            print(json.dumps(found[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
