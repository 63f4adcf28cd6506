"""The optimizer's update on PyTorch: ours, Keras's own, and a plain subclass of Keras's, alternating.

    python benchmarks/torch_update.py

Keras joins the updates of all weights on PyTorch only in the very class that it names Adam; a subclass of it
updates one weight after the other. Ours stands on the joining class
(`training/optimizer/compiled_update.py`). It updates a U-Net of 16 filters and 6
levels; the figures are medians over updates.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch

from flexunet.config.schema import Config
from flexunet.models.registry import build_model
from flexunet.training.optimizer.compiled_update import Adam


class OneByOne(keras.optimizers.Adam):
    """A plain subclass."""


def main() -> None:
    """Update, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    model = build_model(Config(model={"image_width": 64, "image_height": 64}), policy="float32")
    weights = model.trainable_variables
    gradients = [0.01 * torch.randn(tuple(weight.shape)) for weight in weights]
    arms = {kind: kind(learning_rate=1e-4, clipvalue=0.2) for kind in (Adam, keras.optimizers.Adam, OneByOne)}
    seconds: dict[type, list[tuple[float, float]]] = {kind: [] for kind in arms}
    for place in range(rounds + 3):
        for kind, optimizer in arms.items():
            clock, processor = time.perf_counter(), time.process_time()
            with torch.no_grad():
                optimizer.apply(gradients, weights)
            if place >= 3:  # the first ones make the moments, and warm up
                seconds[kind].append((time.perf_counter() - clock, time.process_time() - processor))
    print(f"{model.count_params():,} parameters in {len(weights)} weights, {rounds} rounds")
    for kind, times in seconds.items():
        clock, processor = (1000 * statistics.median(column) for column in zip(*times, strict=True))
        name = f"{kind.__module__.split('.')[0]} {kind.__name__}"
        print(f"{name:<20} {clock:8.1f} ms by the clock {processor:8.1f} ms of processor")


if __name__ == "__main__":
    main()
