"""A full-size mammogram through the published model, tile by tile: peak memory, and time beside the model's.

    python benchmarks/tiled.py            4096 x 3328 pixels, 512 x 512 model of 124,996,866 parameters
    python benchmarks/tiled.py --height 1500 --width 1200 --rounds 3
    python benchmarks/tiled.py --engine openvino       or openvino-int8; exported by another process

Memory is the highest resident size (VmHWM) of a process that does what `flexunet tiledinfer` does: load the
run, read a 16-bit PNG, predict, write mask, overlay and lesions. What of it is file pages (the engine's own
libraries, shared and given back at need) is said beside.

Time compares, alternating in one process, the whole prediction of the image with the bare model calls on
tiles that are cut and resized already, in the same batches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

# Mammogram Mastery's train_eval_infer.config.
MODEL = """[model]
image_width = {side}
image_height = {side}
num_classes = 2
base_filters = {filters}
base_kernels = [9, 9]
num_layers = {layers}
dropout_rate = 0.04

[train]
save_weights_only = true
precision = "float32"

[infer]
precision = "{precision}"
min_lesion_pixels = 1000000  # drawn weights see thousands of specks

[tiledinfer]
split_size = {side}
overlapping = {overlap}
images_dir = "images"
output_dir = "masks"

[valid]
images_dir = "valid/images"
masks_dir = "valid/masks"
"""
CALIBRATION = 8


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """Write a run with drawn weights, its export, and a 16-bit image of noise and a disc."""
    from flexunet.config.files import load_config
    from flexunet.data.images.files.write import write_image
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model
    from flexunet.models.weights.load import save_weights
    from flexunet.run_folder import RunFolder

    text = MODEL.format(
        side=options.side,
        overlap=options.side // 8,
        filters=options.filters,
        layers=options.layers,
        precision=options.precision or ("float32" if options.engine == "keras" else "auto"),
    )
    (folder / "config.toml").write_text(text)
    config = load_config(folder)
    model = build_model(config)
    draw_initial_weights(model, 1)
    RunFolder.of(config).best_model.parent.mkdir()
    save_weights(model, RunFolder.of(config).best_model)
    print(f"{model.count_params():,} parameters")
    del model
    if options.engine != "keras":
        export(folder, options)
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[: options.height, : options.width]
    inside = ((rows / options.height - 0.5) / 0.4) ** 2 + (columns / options.width / 0.7) ** 2 < 1
    image = random.integers(0, 4000, (options.height, options.width), dtype=np.uint16)
    write_image(folder / "images" / "film.png", image + 20000 * inside.astype(np.uint16))


def export(folder: Path, options: argparse.Namespace) -> None:
    """Export the run for the engine, calibrated on phantoms."""
    from flexunet.config.files import load_config
    from flexunet.data.images.files.write import write_image
    from flexunet.data.phantom.draw import draw_phantom
    from flexunet.deployment.export import export_bundle

    for seed in range(CALIBRATION):
        phantom = draw_phantom(seed, options.side, options.side)
        write_image(folder / f"valid/images/{seed}.png", phantom.image)
        write_image(folder / f"valid/masks/{seed}.png", 255 * (phantom.mask > 0).astype(np.uint8))
    form, _, int8 = options.engine.partition("-")
    # Untrained, it finds nothing, and any pixel that flips changes Dice.
    export_bundle(load_config(folder), form, int8=bool(int8), force=True)


def memory(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Predict the folder as the command does and say how much memory it took."""
    from flexunet.config.files import load_config
    from flexunet.inference.folder import infer_folder

    started = time.perf_counter()
    result = infer_folder(load_config(folder, settings(options)), tiled=True)
    assert not result.failures, result.failures
    return {"seconds": time.perf_counter() - started, "model_seconds": result.busy_s, **resident()}


def times(folder: Path, options: argparse.Namespace) -> list[dict[str, float]]:
    """Alternate the whole prediction and the bare model calls."""
    from flexunet.config.files import load_config
    from flexunet.data.images.files.read import read_image
    from flexunet.inference.predict.predictor import Predictor
    from flexunet.inference.predict.tiling import Grid

    config = load_config(folder, settings(options))
    predictor = Predictor.load(config)
    image = read_image(folder / "images" / "film.png", None)
    section = config.tiledinfer
    grid = Grid.over(*image.shape[:2], section.split_size, section.overlapping)
    chosen = np.ones(grid.shape, bool)
    if section.breast_only:
        from flexunet.inference.predict.breast_tiles import tiles_of_breast

        chosen = tiles_of_breast(image, grid)
    size = section.batch_size or predictor.batch_size
    places = np.argwhere(chosen).tolist()
    batches = [
        np.stack([predictor.prepare(image[grid.box(*place)]) for place in places[first : first + size]])
        for first in range(0, len(places), size)
    ]
    print(f"{len(places)} of {chosen.size} tiles, {size} at a time")

    def whole() -> float:
        started = time.perf_counter()
        predictor.predict(image, tiled=True)
        return time.perf_counter() - started

    def bare() -> float:
        started = time.perf_counter()
        for batch in batches:
            predictor.predict_batch(batch)
        return time.perf_counter() - started

    for batch in {len(batch): batch for batch in batches}.values():
        predictor.predict_batch(batch)  # traced for each size of batch
    rounds = []
    for number in range(options.rounds):
        # Every other round begins with the other arm.
        arms = [("whole", whole), ("bare", bare)][:: 1 if number % 2 else -1]
        rounds.append({name: arm() for name, arm in arms})
        print({name: round(value, 2) for name, value in rounds[-1].items()}, flush=True)
    return rounds


def settings(options: argparse.Namespace) -> list[str]:
    """What the options say, as overrides of the configuration."""
    chosen = [
        f"infer.engine={options.engine}",
        f"tiledinfer.breast_only={'true' if options.breast_only else 'false'}",
    ]
    return chosen + ([f"tiledinfer.batch_size={options.batch}"] if options.batch else [])


def resident() -> dict[str, float]:
    """Resident memory of this process, in MB (10^6 bytes)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return {
        name: int(values[key].split()[0]) * 1024 / 1e6
        for name, key in (("peak_mb", "VmHWM"), ("file_pages_mb", "RssFile"), ("own_now_mb", "RssAnon"))
    }


def main() -> None:
    """Run each part in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--height", type=int, default=4096)
    parser.add_argument("--width", type=int, default=3328)
    parser.add_argument("--side", type=int, default=512, help="side of model and tiles")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--engine", choices=("keras", "openvino", "openvino-int8"), default="keras")
    parser.add_argument("--precision", help="float32 in Keras, that of the export otherwise, if not given")
    parser.add_argument("--batch", type=int, help="tiles at a time; by memory if not given")
    parser.add_argument("--breast-only", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", choices=("prepare", "memory", "times"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        found = globals()[options.part](options.folder, options)
        (options.folder / f"{options.part}.json").write_text(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as name:
        for part in ("prepare", "memory", "times"):
            arguments = [sys.executable, *sys.argv, "--part", part, "--folder", name]
            subprocess.run(arguments, check=True)
        used = json.loads(Path(name, "memory.json").read_text())
        rounds = json.loads(Path(name, "times.json").read_text())
    print({key: round(value, 1) for key, value in used.items()})
    ratios = [each["whole"] / each["bare"] for each in rounds]
    print(f"whole / bare: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")
    engine = os.environ["KERAS_BACKEND"] if options.engine == "keras" else options.engine
    print(json.dumps({"engine": engine, "memory": used, "rounds": rounds}))


if __name__ == "__main__":
    main()
