"""Memory that one image more of a batch takes in a training step of the model that `flexunet init` plans.

    python benchmarks/step_memory.py
    python benchmarks/step_memory.py --size 256 --filters 16

Forward and backward pass of configs/tissue.toml at another size and number of filters, in float32 on a
processor. Each batch has a process of its own, so that its peak of resident memory is its alone; the figure
is the slope between batches, in bytes for one pixel and filter of the first level.
`flexunet.planning.rules` plans with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = "tissue.toml"


def main() -> None:
    """Measure batches of one to three images, or, as the process of one batch, that one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.batch:
        print(peak_of_step(arguments.size, arguments.filters, arguments.batch))
        return
    peaks = [peak_in_process(arguments, batch) for batch in (1, 2, 3)]
    places = arguments.size**2 * arguments.filters
    for batch, peak in enumerate(peaks, 1):
        print(f"batch of {batch}: {peak / 2**30:.2f} GiB")
    for before, after in pairwise(peaks):
        print(f"one image more: {(after - before) / places:.0f} bytes a pixel and filter")


def peak_in_process(arguments: argparse.Namespace, batch: int) -> int:
    """Peak of resident memory, in bytes, of a process that makes one step."""
    options = ["--size", str(arguments.size), "--filters", str(arguments.filters), "--batch", str(batch)]
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, __file__, *options], capture_output=True, text=True, check=True, env=environment
    )
    return int(done.stdout.split()[-1])


def peak_of_step(size: int, filters: int, batch: int) -> int:
    """Peak of resident memory, in bytes, after one step in this process."""
    import resource

    import numpy as np
    import tensorflow as tf

    import flexunet
    from flexunet.models.registry import build_model

    changes = {"image_width": size, "image_height": size, "base_filters": filters, "max_filters": 512}
    config = flexunet.load_config(
        ROOT / "configs" / MODEL, [f"model.{key}={value}" for key, value in changes.items()]
    )
    model = build_model(config)
    images = np.random.default_rng(0).random((batch, size, size, 1), np.float32)

    @tf.function
    def step(pixels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(pixels, training=True))
            loss = tf.add_n([tf.reduce_mean(tf.square(tf.cast(each, tf.float32))) for each in outputs])
        return [tf.reduce_sum(each) for each in tape.gradient(loss, model.trainable_variables)]

    step(images)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
