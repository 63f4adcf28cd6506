"""Speed of augmentation on one core: ours against plain code that does what the published tools describe.

    python benchmarks/augment.py [--rounds 5] [--size 512] [--json FILE]

Two claims, on one RGB image with its mask:

1. Deformation, distortion, barrel and pincushion distortion of five centres each, in memory.
2. The whole set of the published INbreast generator: the original and 21 copies, files included.

The plain arm smooths with SciPy, gives image and mask fields of their own where the published tools do, works
out barrel maps pixel by pixel in Python and writes with OpenCV. Arms alternate, so that load on the machine
falls on both. Ours is timed cold (fields computed) and warm (the fields that all images of a size share are
there already); distortion is drawn for each image, so it is never warm. What the published tools themselves
took is in PUBLISHED, from shared/reference/augment/timings.json (two cores of another machine).
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import math
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from flexunet.config.schema import Config
from flexunet.data.augment import fields
from flexunet.data.augment.operations import planned
from flexunet.data.augment.pair import Job, Task, write_pair
from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom

CENTERS = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.7, 0.7)]
PUBLISHED = {
    "deformation": 0.512,
    "distortion": 0.281,
    "barrel, 5 centres": 0.647,
    "pincushion, 5 centres": 0.459,
    "the four together": 0.512 + 0.281 + 0.647 + 0.459,
    "whole pair with files": 4.647,
}
OFF = {"hflip": False, "vflip": False, "rotation": False, "shrinks": []}
BARREL = {"radius": 0.3, "amount": 0.3, "centers": CENTERS}
PINCUSHION = {"radius": 0.3, "amount": -0.3, "centers": CENTERS}
FOUR = {
    "deformation": Config.model_validate({"augmentor": OFF | {"deformation": True}}),
    "distortion": Config.model_validate({"augmentor": OFF | {"distortion": True}}),
    "barrel, 5 centres": Config.model_validate(
        {"augmentor": OFF | {"barrdistortion": True}, "barrdistortion": BARREL}
    ),
    "pincushion, 5 centres": Config.model_validate(
        {"augmentor": OFF | {"pincdistortion": True}, "pincdistortion": PINCUSHION}
    ),
}
GENERATOR = Config.model_validate(
    {
        "augmentor": {"angles": [90, 180, 270], "shrinks": [0.7, 0.9]}
        | dict.fromkeys(("deformation", "distortion", "barrdistortion", "pincdistortion"), True),
        "deformation": {"sigmoids": [8, 10]},
        "distortion": {"distortions": [0.02, 0.03]},
        "barrdistortion": BARREL,
        "pincdistortion": PINCUSHION,
    }
)


def plain_deform(array, sigma, draws):
    """Elastic deformation of one array, as described: a field a channel."""
    height, width, channels = array.shape
    dx, dy = (gaussian_filter(draws.rand(*array.shape) * 2 - 1, sigma, mode="constant") * 1300 for _ in "xy")
    x, y, z = np.meshgrid(np.arange(width), np.arange(height), np.arange(channels))
    return map_coordinates(array, (y + dy, x + dx, z), order=1, mode="nearest")


def plain_distort(array, size, draws):
    """Distortion of one array."""
    height, width = array.shape[:2]
    noise = draws.normal(size=(height, width))
    dx, dy = (gaussian_filter(noise, 40, order=order) for order in ((0, 1), (1, 0)))
    dx, dy = dx * (int(width * size) / dx.max()), dy * (int(height * size) / dy.max())
    y, x = np.indices((height, width))
    return cv2.remap(array, (x - dx).astype(np.float32), (y - dy).astype(np.float32), cv2.INTER_LINEAR)


def plain_disc_map(height, width, center, amount, radius=0.3):
    """Map of a barrel or pincushion distortion, pixel by pixel."""
    x0, y0, reach = center[0] * width, center[1] * height, radius * width
    map_x, map_y = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            across, down = x - x0, y - y0
            distance = across * across + down * down
            if distance >= reach * reach:
                map_x[y, x], map_y[y, x] = x, y
            else:
                factor = 1.0
                if distance > 0:
                    factor = math.pow(math.sin(math.pi * math.sqrt(distance) / reach / 2), amount)
                map_x[y, x], map_y[y, x] = x0 + factor * across, y0 + factor * down
    return map_x, map_y


def plain_discs(arrays, amount):
    """All centres, one after the other; the arrays share the maps."""
    for center in CENTERS:
        maps = plain_disc_map(*arrays[0].shape[:2], center, amount)
        arrays = [cv2.remap(array, *maps, cv2.INTER_LINEAR) for array in arrays]
        yield arrays


def plain(name, image, mask):
    """One of the four operations on image and mask."""
    draws = np.random.RandomState(137)
    if name == "deformation":
        return [plain_deform(array, 8, draws) for array in (image, mask)]
    if name == "distortion":
        return [plain_distort(array, 0.02, draws) for array in (image, mask)]
    return list(plain_discs([image, mask], 0.3 if name.startswith("barrel") else -0.3))


def plain_pair_with_files(image_path, mask_path, out):
    """The generator: image and mask each go through everything, and every copy is written."""
    for path, kind in ((image_path, "images"), (mask_path, "masks")):
        array = cv2.imread(str(path))
        height, width = array.shape[:2]
        copies = [array, cv2.flip(array, 1), cv2.flip(array, 0)]
        for angle in (90, 180, 270):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
            copies.append(cv2.warpAffine(array, matrix, (width, height)))
        draws = np.random.RandomState(137)
        copies += [plain_deform(array, sigma, draws) for sigma in (8, 10)]
        copies += [plain_distort(array, size, draws) for size in (0.02, 0.03)]
        for ratio in (0.7, 0.9):
            small = cv2.resize(array, (int(width * ratio), int(height * ratio)))
            copies.append(np.zeros_like(array))
            copies[-1][: small.shape[0], : small.shape[1]] = small
        for amount in (0.3, -0.3):
            copies += [arrays[0] for arrays in plain_discs([array], amount)]
        for number, copy in enumerate(copies):
            cv2.imwrite(str(out / kind / f"{number}.png"), copy)


def forget_fields():
    """Back to the state of a new process, but for imports."""
    for kept in (fields.cached_deformation_field, fields.disc_field, fields._cosines):
        kept.cache_clear()


def ours(name, image, mask, number):
    """One of the four operations on image and mask."""
    steps = [step.seeded(137, f"image{number}") for step in planned(FOUR[name])]
    changes = [step.change(*mask.shape) for step in steps]
    return [(change.image(image), change.mask(mask)) for change in changes]


def seconds(work):
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def four_in_memory(image, mask, rounds):
    """Seconds of each arm by operation: {operation: {arm: [seconds, ...]}}."""
    mask_rgb = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    taken = {name: {"plain": [], "cold": [], "warm": []} for name in FOUR}
    for number in range(rounds):
        for name, arms in taken.items():
            arms["plain"].append(seconds(lambda name=name: plain(name, image, mask_rgb)))
            forget_fields()
            for arm in ("cold", "warm"):
                work = lambda name=name, arm=arm: ours(name, image, mask, f"{number} {arm}")  # noqa: E731, B023
                arms[arm].append(seconds(work))
    return taken


def pair_with_files(image, mask, rounds, folder):
    """Seconds of each arm: {arm: [seconds, ...]}."""
    write_image(folder / "in.png", image)
    write_mask(folder / "mask.png", mask, ColorMap.binary())
    task = Task(Pair(folder / "in.png", folder / "mask.png", Identity("in", "in")), "train", True)
    taken = {"plain": [], "cold": [], "warm": []}
    for number in range(rounds):
        out = folder / str(number)
        for kind in ("images", "masks"):
            (out / "plain" / kind).mkdir(parents=True)
        taken["plain"].append(
            seconds(
                lambda out=out: plain_pair_with_files(folder / "in.png", folder / "mask.png", out / "plain")
            )
        )
        forget_fields()
        for arm in ("cold", "warm"):
            job = Job(out / arm, GENERATOR)
            taken[arm].append(seconds(lambda job=job: write_pair(task, job)))
        written = {len(list((out / arm).rglob("*.png"))) for arm in taken}
        if written != {44}:
            raise RuntimeError(f"the arms wrote different numbers of files: {written}")
        shutil.rmtree(out)
    return taken


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument(
        "--noise", action="store_true", help="fill the image with noise: the worst case for PNG"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    phantom = draw_phantom(1, arguments.size, arguments.size)
    image = np.repeat(phantom.image.reshape(*phantom.mask.shape, 1), 3, axis=2)
    if arguments.noise:
        image = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    taken = four_in_memory(image, phantom.mask, arguments.rounds)
    taken["the four together"] = {
        arm: [sum(taken[name][arm][number] for name in FOUR) for number in range(arguments.rounds)]
        for arm in ("plain", "cold", "warm")
    }
    with tempfile.TemporaryDirectory() as folder:
        taken["whole pair with files"] = pair_with_files(image, phantom.mask, arguments.rounds, Path(folder))
    rows = {}
    heads = ("plain", "cold", "warm", "cold x", "warm x", "published", "cold x")
    print(f"{'milliseconds, median':<24}" + "".join(f"{head:>10}" for head in heads))
    for name, arms in taken.items():
        middle = {arm: statistics.median(times) for arm, times in arms.items()}
        ratios = [
            statistics.median(p / t for p, t in zip(arms["plain"], arms[arm], strict=True))
            for arm in ("cold", "warm")
        ]
        to_published = PUBLISHED[name] / middle["cold"] if arguments.size == 512 else math.nan
        rows[name] = {"seconds": arms, "median": middle, "cold_ratio": ratios[0], "warm_ratio": ratios[1]}
        rows[name] |= {"published": PUBLISHED[name], "ratio_to_published": to_published}
        figures = [*(1e3 * each for each in middle.values()), *ratios, 1e3 * PUBLISHED[name], to_published]
        print(f"{name:<24}" + "".join(f"{figure:>10.1f}" for figure in figures))
    machine = {"cpu": platform.processor(), "cv2": cv2.__version__, "numpy": np.__version__}
    machine |= {"size": arguments.size, "rounds": arguments.rounds, "load": os.getloadavg()}
    print(f"one core, {arguments.rounds} rounds, load average {machine['load'][0]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
