"""Processor seconds of a training step by normalisation layer, Keras's and ours.

    KERAS_BACKEND=tensorflow python benchmarks/normalization.py [--rounds 7]

Four 3 x 3 convolutions of 32 filters on four images of 256 x 128, Adam, one thread. Arms alternate, so that
load on the machine falls on all; medians count. JAX compiles with XLA, as in training.
"""

import os

os.environ.update(
    OMP_NUM_THREADS="1",
    TF_NUM_INTRAOP_THREADS="1",
    TF_NUM_INTEROP_THREADS="1",
    TF_CPP_MIN_LOG_LEVEL="3",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
)

import argparse
import statistics
import time

import keras
import numpy as np
from keras import layers

from flexunet.models.layers.batch_normalization import BatchNormalization
from flexunet.models.layers.group_normalization import GroupNormalization

FILTERS, SHAPE = 32, (256, 128, 1)
ARMS = {
    "none": None,
    "batch": BatchNormalization,
    "group, Keras": lambda: layers.GroupNormalization(8),
    "group, ours": lambda: GroupNormalization(8),
    "instance, Keras": lambda: layers.GroupNormalization(FILTERS),
    "instance, ours": lambda: GroupNormalization(FILTERS),
}


def network(normalization):
    """The compiled model of one arm."""
    image = keras.Input(SHAPE)
    features = image
    for _ in range(4):
        features = layers.Conv2D(FILTERS, 3, padding="same")(features)
        if normalization:
            features = normalization()(features)
        features = layers.ReLU()(features)
    model = keras.Model(image, layers.Conv2D(1, 1)(features))
    model.compile("adam", "mse", jit_compile=keras.backend.backend() == "jax")
    return model


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    images = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    models = {name: network(normalization) for name, normalization in ARMS.items()}
    taken = {name: [] for name in ARMS}
    for number in range(1 + arguments.rounds):
        for name, model in models.items():
            start = time.process_time()
            model.train_on_batch(images, images)
            if number:  # the first step compiles
                taken[name].append(time.process_time() - start)
    for name, seconds in taken.items():
        print(f"{name:<18}{statistics.median(seconds):>8.3f}")
    print(f"{keras.backend.backend()}, one thread, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
