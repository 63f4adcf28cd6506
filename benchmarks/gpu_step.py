"""A training step against the roofline of the machine, on JAX and PyTorch: images a second, and what is left.

    python benchmarks/gpu_step.py                          the published 512x512 model, bfloat16, batch 8
    python benchmarks/gpu_step.py --batch 32 --engines jax
    python benchmarks/gpu_step.py --small                  a small model, to try the script on a processor

For each engine, in a process of its own: the two ceilings are measured once (operations a second of a large
product of matrices in the format of the step; bytes a second of a sum of two arrays too large for any cache),
operations and bytes of a step are counted, and the step is timed as a run takes it: from arrays in memory to
a loss that is a number, with our precision, compilation, loss and optimizer.

Counted operations: two for each multiply-add, once forwards, and twice backwards (for the gradients of the
weights and of the input, which the first layer does not need). Counted bytes: what layers that run one after
the other cannot spare. Forwards each reads its inputs and writes its output; backwards it reads gradient and
inputs and writes the gradient of each input; 2 bytes a value in 16-bit formats. Each weight costs 40 bytes in
float32 with Adam (16-bit copy made and read twice, gradient written and read, weight and both moments read
and written). The roofline of the step is the sum over layers of the longer of operations over the one ceiling
and bytes over the other. An engine that fuses layers may need fewer bytes than that and pass it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Mammogram Mastery's train_eval_infer.config.
PUBLISHED = {"base_filters": 16, "base_kernels": (9, 9), "num_layers": 8, "dropout_rate": 0.04}
SMALL = {"base_filters": 8, "base_kernels": (3, 3), "num_layers": 3, "dropout_rate": 0.04}
BYTES_A_WEIGHT = 40
_SECONDS_A_CEILING = 2.0


def configured(options: argparse.Namespace) -> Any:
    """The configuration of the model to be trained."""
    from flexunet.config.schema import Config

    return Config(
        model={
            **(SMALL if options.small else PUBLISHED),
            "image_width": options.size,
            "image_height": options.size,
            "learning_rate": 0.0001,
            "clipvalue": 0.5,
            "metrics": ["dice_coef_multiclass"],
        },
        train={"precision": options.precision, "batch_size": options.batch},
    )


def compiled_model(config: Any) -> tuple[Any, str]:
    """The model as a run compiles it, and its precision."""
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.precision import choose_precision
    from flexunet.models.registry import build_model
    from flexunet.training.compiling import compile_model

    policy, _ = choose_precision(config.train.precision)
    model = build_model(config, policy=policy)
    draw_initial_weights(model, config.train.seed)
    compile_model(config, model)
    return model, policy


def work_by_layer(model: Any, batch: int, bytes_each: int) -> list[tuple[str, float, float]]:
    """Kind, operations and bytes of each layer in one step."""
    from flexunet.models.operations_count import multiply_adds_by_layer

    counted = multiply_adds_by_layer(model)
    work, has_first = [], False
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        inputs = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
        read, written = sum(map(_size, inputs)), _size(layer.output)
        times = 3.0
        if counted.get(layer.name) and not has_first:
            has_first, times = True, 2.0
        operations = times * 2 * counted.get(layer.name, 0) * batch
        moved = bytes_each * batch * ((read + written) + (written + 2 * read))
        work.append((type(layer).__name__, operations, float(moved)))
    work.append(("Adam", 0.0, float(BYTES_A_WEIGHT * model.count_params())))
    return work


def _size(tensor: Any) -> int:
    return math.prod(int(length) for length in tensor.shape[1:])


def rate(step: Callable[[], Any], amount: float) -> float:
    """The most of an amount that a call does in a second, over calls of some seconds in all."""
    step()
    rates = []
    end = time.perf_counter() + _SECONDS_A_CEILING
    while time.perf_counter() < end or len(rates) < 3:
        start = time.perf_counter()
        step()
        rates.append(amount / (time.perf_counter() - start))
    return max(rates)


def ceilings(policy: str, on_gpu: bool) -> tuple[float, float]:
    """Operations and bytes a second that this engine reaches at best on this machine."""
    import keras

    dtype = policy.removeprefix("mixed_")
    side, length, repeats = (8192, 2**28, 10) if on_gpu else (2048, 2**26, 1)
    matrix = keras.ops.cast(keras.ops.ones((side, side)), dtype)
    array = keras.ops.ones((length,), "float32")

    def product(a: Any) -> Any:
        for _ in range(repeats):
            a = keras.ops.matmul(a, matrix) * (1.0 / side)
        return a

    def total(a: Any) -> Any:
        return a + array

    product, total = _compiled(product), _compiled(total)
    operations = rate(lambda: _finished(product(matrix)), repeats * 2.0 * side**3)
    # Two arrays read, one written.
    return operations, rate(lambda: _finished(total(array)), 12.0 * length)


def _compiled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import keras

    if keras.config.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def _finished(value: Any) -> Any:
    """Wait for a result that an engine may still be at."""
    import keras

    if keras.config.backend() == "jax":
        return value.block_until_ready()
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return value


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One engine: ceilings, counts, and the time of a step."""
    import keras

    from flexunet.models.precision import gpu_capability

    config = configured(options)
    model, policy = compiled_model(config)
    on_gpu = gpu_capability() is not None
    operations_a_second, bytes_a_second = ceilings(policy, on_gpu)
    work = work_by_layer(model, options.batch, 4 if policy == "float32" else 2)
    by_kind: dict[str, float] = defaultdict(float)
    for kind, operations, moved in work:
        by_kind[kind] += max(operations / operations_a_second, moved / bytes_a_second)

    random = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size)
    images = random.uniform(0, 255, (*shape, config.model.image_channels)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[random.integers(0, 2, shape)]
    start = time.perf_counter()
    model.train_on_batch(images, targets)
    first = time.perf_counter() - start
    model.train_on_batch(images, targets)
    seconds = []
    for _ in range(options.steps):
        start = time.perf_counter()
        # The loss comes back as a number, so the step is over when this returns.
        loss = float(np.ravel(model.train_on_batch(images, targets))[0])
        seconds.append(time.perf_counter() - start)
    median, roofline = statistics.median(seconds), sum(by_kind.values())
    return {
        "engine": keras.config.backend(),
        "device": _device(),
        "precision": policy,
        "parameters": model.count_params(),
        "first_step_s": first,
        "step_s": median,
        "images_a_second": options.batch / median,
        "loss": loss,
        "operations": sum(operations for _, operations, _ in work),
        "bytes": sum(moved for _, _, moved in work),
        "operations_a_second": operations_a_second,
        "bytes_a_second": bytes_a_second,
        "roofline_s": roofline,
        "roofline_by_kind_s": dict(sorted(by_kind.items(), key=lambda item: -item[1])),
        "fraction": roofline / median,
    }


def _device() -> str:
    import keras

    if keras.config.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()


def show(result: dict[str, Any]) -> None:
    """Print what was found of one engine."""
    print(f"{result['engine']} on {result['device']}, {result['precision']}")
    print(f"  step {result['step_s']:.4f} s, {result['images_a_second']:.2f} images a second")
    print(f"  first step, compiled: {result['first_step_s']:.1f} s")
    print(
        f"  counted {result['operations'] / 1e12:.3f} T operations, {result['bytes'] / 1e9:.2f} GB; ceilings"
        f" {result['operations_a_second'] / 1e12:.2f} T operations/s,"
        f" {result['bytes_a_second'] / 1e9:.1f} GB/s"
    )
    print(f"  roofline {result['roofline_s']:.4f} s: {100 * result['fraction']:.0f} % of it reached; of it")
    for kind, seconds in list(result["roofline_by_kind_s"].items())[:8]:
        print(f"    {seconds:9.4f} s {100 * seconds / result['roofline_s']:4.0f} %  {kind}")


def main() -> None:
    """Read the options; measure each engine in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", default=["jax", "torch"], choices=("jax", "torch"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    results = []
    for engine in options.engines:
        answer = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--measure"],
            env={**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        results.append(json.loads(answer.stdout.splitlines()[-1]))
        show(results[-1])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
