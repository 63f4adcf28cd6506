"""A training step of ours against the same model in plain Keras float32, alternating.

    python benchmarks/train_step.py                  the published 512x512 model, batch 2
    python benchmarks/train_step.py --size 256 --rounds 9
    python benchmarks/train_step.py --profile        where a step's time goes, by operation

Both arms train the published model (124,996,866 parameters) on the same images with the published loss,
metric and optimizer. Ours: our losses, metrics, optimizer and memory, precision and compilation as `auto`
chooses them. Plain: Keras's own, float32, `jit_compile=False` (the faster of Keras's two ways on a processor;
`--plain-jit auto` is its default). Each arm has a process of its own, so that nothing one does to its memory
helps the other; they take turns, so that another job on the machine slows both. The figure is the median of
the ratios of neighbouring steps. Processor time is printed too: it suffers less from other jobs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from flexunet.config.schema import Config

# Mammogram Mastery's train_eval_infer.config.
PUBLISHED: dict[str, Any] = {
    "num_classes": 2,
    "base_filters": 16,
    "base_kernels": (9, 9),
    "num_layers": 8,
    "dropout_rate": 0.04,
    "dilation": (1, 1),
    "input_normalize": False,
    "optimizer": "Adam",
    "learning_rate": 0.0001,
    "clipvalue": 0.5,
    "loss": "categorical_crossentropy",
    "metrics": ["dice_coef_multiclass"],
}


def our_model(config: Config, precision: str, jit: str) -> tuple[Any, str]:
    """Our compiled model, and how it was chosen."""
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.precision import choose_jit, choose_precision
    from flexunet.models.registry import build_model
    from flexunet.models.small_maps import multiply_small_maps
    from flexunet.training.allocation import keep_freed_memory
    from flexunet.training.objectives.named import get_loss, get_metric
    from flexunet.training.optimizer.build import build_optimizer

    kept = keep_freed_memory()
    policy, reason = choose_precision(precision)
    compiled = choose_jit(jit if jit == "auto" else jit == "true")
    model = build_model(config, policy=policy)
    draw_initial_weights(model, config.train.seed)
    products = multiply_small_maps(model)
    model.compile(
        optimizer=build_optimizer(config),
        loss=get_loss(config.model.loss, config.model.num_classes),
        metrics=[get_metric(name) for name in config.model.metrics],
        jit_compile=compiled,
    )
    return model, f"{reason}; jit_compile={compiled}; freed memory kept: {kept}; products: {products}"


def plain_model(config: Config, jit: str) -> tuple[Any, str]:
    """The same model in plain Keras, float32."""
    import keras

    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model

    model = build_model(config, policy="float32")
    draw_initial_weights(model, config.train.seed)

    def dice_coef_multiclass(y_true: Any, y_pred: Any) -> Any:
        y_true = keras.ops.cast(y_true, "float32")
        overlap = keras.ops.sum(y_true * y_pred, axis=(1, 2, 3))
        total = keras.ops.sum(y_true, axis=(1, 2, 3)) + keras.ops.sum(y_pred, axis=(1, 2, 3))
        return keras.ops.mean((2.0 * overlap + 1.0) / (total + 1.0))

    compiled = jit if jit == "auto" else jit == "true"
    model.compile(
        optimizer=keras.optimizers.Adam(config.model.learning_rate, clipvalue=config.model.clipvalue),
        loss="categorical_crossentropy",
        metrics=[dice_coef_multiclass],
        jit_compile=compiled,
    )
    return model, f"float32; jit_compile={compiled}"


def batch(config: Config, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of 0..255 with a bright disc each, and their one-hot masks."""
    random = np.random.default_rng(seed)
    side = config.model.image_width
    rows, columns = np.mgrid[:side, :side]
    centers = random.uniform(0.3 * side, 0.7 * side, (size, 2, 1, 1))
    inside = (rows - centers[:, 0]) ** 2 + (columns - centers[:, 1]) ** 2 < (side / 8) ** 2
    images = random.uniform(0, 120, (size, side, side, config.model.image_channels))
    images += 100.0 * inside[..., None]
    return images.astype("float32"), np.eye(2, dtype="float32")[inside.astype(int)]


def serve(arm: str, options: argparse.Namespace, parent: Connection) -> None:
    """One arm in its process: train a step whenever the parent asks, and answer with its times."""
    config = Config(model={**PUBLISHED, "image_width": options.size, "image_height": options.size})
    if arm == "plain":
        model, choice = plain_model(config, options.plain_jit)
    else:
        model, choice = our_model(config, options.precision, options.jit)
    images, masks = batch(config, options.batch, 0)
    parent.send({"choice": choice, "parameters": model.count_params()})
    while True:
        task = parent.recv()
        if task == "end":
            return
        trace = None
        if task == "profile":
            trace = Path(tempfile.mkdtemp(prefix="train-step-"))
            _tensorflow_profiler().start(str(trace))
        start, busy = time.perf_counter(), time.process_time()
        # The loss comes back as a number, so the step is over when this returns.
        loss = float(np.ravel(model.train_on_batch(images, masks))[0])
        seconds, processor = time.perf_counter() - start, time.process_time() - busy
        if trace:
            _tensorflow_profiler().stop()
        parent.send({"seconds": seconds, "processor": processor, "loss": loss, "trace": trace})


class Arm:
    """An arm's process, seen from the parent."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        self.connection, child = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=serve, args=(name, options, child), daemon=True)
        self.process.start()
        child.close()
        self.said = self.connection.recv()

    def ask(self, task: str) -> dict[str, Any]:
        """Let it do a task and wait for the answer."""
        self.connection.send(task)
        return self.connection.recv()

    def end(self) -> None:
        """Let its process end."""
        self.connection.send("end")
        self.process.join()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Alternate the two arms and return every time, the ratio of each round and its median."""
    plain, ours = Arm("plain", options), Arm("ours", options)
    assert plain.said["parameters"] == ours.said["parameters"]
    print(f"{ours.said['parameters']:,} parameters, {options.size} x {options.size}, batch {options.batch}")
    print(f"ours: {ours.said['choice']}\nplain: {plain.said['choice']}")
    first = {arm.name: arm.ask("step")["seconds"] for arm in (plain, ours)}
    print(f"first step, tracing included: plain {first['plain']:.1f} s, ours {first['ours']:.1f} s")
    for arm in (plain, ours):
        arm.ask("step")  # memory and caches settle
    columns = ("plain", "ours", "ratio", "plain_processor", "ours_processor", "ratio_processor")
    print("round " + " ".join(f"{column:>16}" for column in columns))
    rounds = []
    for number in range(1, options.rounds + 1):
        # Every other round begins with the other arm, so that neither always runs in the other's wake.
        taken = {arm.name: arm.ask("step") for arm in ((plain, ours) if number % 2 else (ours, plain))}
        row = {name: answer["seconds"] for name, answer in taken.items()}
        row |= {f"{name}_processor": answer["processor"] for name, answer in taken.items()}
        row["ratio"] = row["plain"] / row["ours"]
        row["ratio_processor"] = row["plain_processor"] / row["ours_processor"]
        rounds.append(row)
        print(f"{number:5d} " + " ".join(f"{row[column]:16.3f}" for column in columns), flush=True)
    medians = {column: statistics.median(row[column] for row in rounds) for column in columns}
    print("median" + " ".join(f"{medians[column]:16.3f}" for column in columns))
    plain.end()
    ours.end()
    return {
        "benchmark": "train_step",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "engine": os.environ["KERAS_BACKEND"],
        "size": options.size,
        "batch": options.batch,
        "ours": ours.said["choice"],
        "plain": plain.said["choice"],
        "first_step_s": first,
        "rounds": rounds,
        "median": medians,
        "images_per_second": {name: options.batch / medians[name] for name in ("plain", "ours")},
    }


def profile(options: argparse.Namespace) -> None:
    """Print where the time of a step goes, by operation, for either arm (TensorFlow)."""
    for name in ("plain", "ours"):
        arm = Arm(name, options)
        for _ in range(2):
            arm.ask("step")
        answer = arm.ask("profile")
        arm.end()
        by_operation = seconds_by_operation(answer["trace"])
        total = sum(by_operation.values())
        print(f"{name}: {answer['seconds']:.2f} s, {answer['processor']:.2f} s of processor time")
        print(f"  {total:.2f} s in operations, waiting for the processor included")
        for operation, seconds in sorted(by_operation.items(), key=lambda item: -item[1])[:16]:
            print(f"  {seconds:7.3f} s {100 * seconds / total:5.1f} %  {operation}")


def _tensorflow_profiler() -> Any:
    import tensorflow as tf

    return tf.profiler.experimental


def seconds_by_operation(folder: Path) -> dict[str, float]:
    """Sum the durations in a trace by kind of operation."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    seconds: dict[str, float] = {}
    for file in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace()
        space.ParseFromString(file.read_bytes())
        for plane in space.planes:
            if not plane.name.startswith("/host:CPU"):
                continue
            for line in plane.lines:
                for event in line.events:
                    label = plane.event_metadata[event.metadata_id].name
                    node, colon, kind = label.rpartition(":")
                    # Executed operations are labelled node:Kind; the rest of the trace is the runtime's own.
                    if colon and node and kind.isidentifier() and "::" not in label:
                        seconds[kind] = seconds.get(kind, 0.0) + event.duration_ps / 1e12
    return seconds


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--jit", choices=("auto", "true", "false"), default="auto")
    parser.add_argument("--plain-jit", choices=("auto", "true", "false"), default="false")
    parser.add_argument("--profile", action="store_true", help="say where the time goes instead")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    options = parser.parse_args()
    if options.profile:
        profile(options)
        return
    result = measure(options)
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
