"""Time and memory of scoring: predicted masks against true ones, with every pixel, surface and lesion score.

    python benchmarks/score.py                    # 1,000 pairs of 512x512; goal: under 60 s on 2 cores
    python benchmarks/score.py --counts 100,200   # a smaller run; --json FILE writes the figures too

Masks are drawn (up to three ragged lesions, predictions shifted, some missed, some imagined, specks), written
as palette PNG and scored by the function behind `flexunet score`, files and report included. Each count runs
in a process of its own, so that peak memory tells whether it grows with the number of images.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.write import write_mask


def draw_lesion(rng: np.random.Generator, mask: np.ndarray) -> None:
    """Draw one ragged lesion of 6 to 60 pixels radius into a mask."""
    size = mask.shape[0]
    radius = float(np.exp(rng.uniform(np.log(6), np.log(60))))
    centre = rng.uniform(radius * 1.3, size - radius * 1.3, 2)
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ragged = radius * (1 + 0.25 * np.convolve(rng.standard_normal(98), np.ones(9) / 9, "valid"))
    points = centre + ragged[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)


def draw_pair(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A true mask and a prediction that is partly right."""
    rng = np.random.default_rng(seed)
    truth, prediction = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(0, 4)):
        draw_lesion(rng, truth)
    if rng.random() < 0.9:
        prediction = np.roll(truth, rng.integers(-6, 7, 2), (0, 1))
        prediction = cv2.morphologyEx(prediction, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    if rng.random() < 0.3:
        draw_lesion(rng, prediction)
    for row, column in rng.integers(0, size - 2, (rng.integers(0, 8), 2)):
        prediction[row : row + 2, column : column + 2] = 1
    return truth, prediction


def draw_folders(root: Path, count: int, size: int) -> None:
    """Write `count` pairs of masks."""
    colors = ColorMap.binary()
    for seed in range(count):
        truth, prediction = draw_pair(seed, size)
        write_mask(root / "masks" / f"{seed:05d}.png", truth, colors)
        write_mask(root / "predicted" / f"{seed:05d}.png", prediction, colors)


def score_once(root: Path, jobs: int) -> dict[str, float]:
    """Score the folders in this process; seconds and peak memory."""
    from flexunet.evaluation.folders import score_folders

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, processor = time.perf_counter(), time.process_time()
    found = score_folders(root / "masks", root / "predicted", out=root / "out", jobs=jobs)
    return {
        "images": found.scores.images,
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - processor,
        "start_mib": before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "dice_per_image_mean": found.scores.foreground.dice_per_image_mean.value or 0.0,
        "sensitivity": found.scores.lesions.sensitivity.value or 0.0,
    }


def main() -> None:
    """Draw, score each count in a fresh process, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="250,1000", help="numbers of images")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        sys.stdout.write(json.dumps(score_once(options.folder, options.jobs)))
        return
    load = os.getloadavg()[0]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start"
    )
    rows = []
    for count in (int(text) for text in options.counts.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            draw_folders(Path(folder), count, options.size)
            command = [sys.executable, __file__, "--folder", folder, "--jobs", str(options.jobs)]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        row = rows[-1]
        print(
            f"{row['images']:6.0f} images of {options.size}x{options.size}: {row['seconds']:6.1f} s, "
            f"{row['processor_seconds']:6.1f} s of processor, {1000 * row['seconds'] / row['images']:.1f} ms "
            f"an image, memory {row['start_mib']:.0f} -> {row['peak_mib']:.0f} MiB"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
