"""Pairs a second of `[random_transform]` on one core: a grey phantom and its mask, a batch at a time.

    python benchmarks/random_transform.py [--size 256] [--rounds 20]

"all": every change with probability 1, "default": the section's own probabilities. The median batch counts,
in processor seconds, so that load on the machine changes little.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import statistics
import time

import cv2
import numpy as np

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.data.augment.random_transform import random_transform
from flexunet.data.phantom.draw import draw_phantom

BATCH = 16
ALWAYS = {key: 1.0 for key in RandomTransformSection.model_fields if key.endswith("_probability")}


def pairs_a_second(section, images, masks, rounds):
    """Median over batches."""
    augment = random_transform(section)
    taken = []
    for seed in range(rounds):
        start = time.process_time()
        augment(images, masks, np.random.default_rng(seed))
        taken.append(time.process_time() - start)
    return len(images) / statistics.median(taken)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    phantom = draw_phantom(1, arguments.size, arguments.size)
    images = np.repeat(phantom.image.reshape(1, arguments.size, arguments.size, 1), BATCH, axis=0)
    masks = np.repeat(phantom.mask[np.newaxis], BATCH, axis=0)
    for name, keys in (("default", {}), ("all", ALWAYS)):
        speed = pairs_a_second(RandomTransformSection(**keys), images, masks, arguments.rounds)
        print(f"{name:<10}{speed:>8.0f} pairs a second")
    print(f"{arguments.size} x {arguments.size}, one core, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
