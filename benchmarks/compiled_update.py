"""What compiling the optimizer's update costs once and gains a step, for models from small to large.

    OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 python benchmarks/compiled_update.py
    python benchmarks/compiled_update.py --filters 16 32 --rounds 9

The update alone, with an average of the weights, on TensorFlow: AdamW on random gradients of a U-Net, traced
once as it is and once compiled by XLA, then both in turns. Seconds and milliseconds of processor.
`training/optimizer/compiled_update.py` compiles where the model is large enough for the gain to come back
within some hundreds of steps.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from flexunet.config.schema import Config
from flexunet.models.registry import build_model
from flexunet.training.optimizer import compiled_update
from flexunet.training.optimizer.compiled_update import AdamW

COLUMNS = (
    "weights, in millions",
    "first update, plain (s)",
    "compiled (s)",
    "an update, plain (ms)",
    "compiled (ms)",
    "comes back after",
)
NETWORK = {
    "image_width": 64,
    "image_height": 64,
    "num_layers": 6,
    "base_kernels": (3, 3),
    "normalization": True,
    "normalization_layer": "group",
}


def main() -> None:
    """Measure each size, one row each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--filters", type=int, nargs="+", default=[8, 16, 24, 32, 64])
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for filters in arguments.filters:
        measure(filters, arguments.rounds)


def measure(filters: int, rounds: int) -> None:
    """Measure one size and print its row."""
    model = build_model(Config(model={**NETWORK, "base_filters": filters}))
    variables = model.trainable_variables
    random = np.random.default_rng(0)
    gradients = [tf.constant(random.normal(0, 0.01, each.shape).astype("float32")) for each in variables]
    arms = {"plain": updating(variables, 1 << 60), "compiled": updating(variables, 0)}
    first = {name: processor_time(arm, gradients, 1) for name, arm in arms.items()}
    times: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            times[name].append(processor_time(arm, gradients, 5))
    step = {name: statistics.median(each) for name, each in times.items()}
    gain = step["plain"] - step["compiled"]
    back = f"{(first['compiled'] - first['plain']) / gain:.0f} steps" if gain > 0 else "never"
    print(
        f"| {model.count_params() / 1e6:.1f} | {first['plain']:.2f} | {first['compiled']:.2f} "
        f"| {1e3 * step['plain']:.1f} | {1e3 * step['compiled']:.1f} | {back} |",
        flush=True,
    )


def updating(variables: list[keras.Variable], least: int) -> Callable[[list[tf.Tensor]], None]:
    """An update of the variables, compiled where they have so many weights."""
    optimizer = AdamW(learning_rate=1e-4, weight_decay=0.01, clipvalue=1.0, average_momentum=0.98)
    optimizer.build(variables)

    @tf.function
    def update(gradients: list[tf.Tensor]) -> None:
        compiled_update.WORTH_COMPILING = least
        optimizer.apply(gradients, variables)

    return update


def processor_time(
    update: Callable[[list[tf.Tensor]], None], gradients: list[tf.Tensor], times: int
) -> float:
    """Seconds of the processor that an update takes, the mean of some."""
    start = time.process_time()
    for _ in range(times):
        update(gradients)
    return (time.process_time() - start) / times


if __name__ == "__main__":
    main()
