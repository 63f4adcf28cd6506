"""Prediction by every engine against plain Keras `predict`, float32, batch 1, alternating.

    python benchmarks/inference.py                        the published model at 512 x 512
    python benchmarks/inference.py --size 128 --rounds 5  quick
    python benchmarks/inference.py --only openvino-int8 --profile   where its time goes, by layer

The published model (124,996,866 parameters, seeded weights) is exported to each engine as `flexunet export`
does it, calibrated on phantoms. Then each arm takes turns with the plain one, either in a process of its own:
so another job on the machine slows both. The figure is the median of the ratios of neighbouring predictions.
Processor time is printed too: it suffers less from other jobs. `start` is from nothing to the first
prediction, imports included.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

# Arm: [infer] engine, [infer] precision.
ARMS = {
    "keras-float32": ("keras", "float32"),
    "keras-bfloat16": ("keras", "mixed_bfloat16"),
    "onnx-float32": ("onnx", "auto"),
    "openvino-float32": ("openvino", "float32"),
    "openvino-bfloat16": ("openvino", "mixed_bfloat16"),
    "openvino-int8": ("openvino-int8", "auto"),
}
CALIBRATION = 8


def prepare(folder: str, size: int) -> None:
    """Write a run of the published model."""
    from train_step import PUBLISHED

    from flexunet.config.files import save_config
    from flexunet.config.schema import Config
    from flexunet.data.images.files.write import write_image
    from flexunet.data.phantom.draw import draw_phantom
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model
    from flexunet.models.weights.load import save_weights
    from flexunet.run_folder import RunFolder

    run = Path(folder)
    for seed in range(CALIBRATION):
        phantom = draw_phantom(seed, size, size)
        write_image(run / f"valid/images/{seed}.png", phantom.image)
        write_image(run / f"valid/masks/{seed}.png", 255 * (phantom.mask > 0).astype(np.uint8))
    config = Config(
        model={**PUBLISHED, "image_width": size, "image_height": size},
        train={"run_dir": folder},
        valid={"images_dir": f"{folder}/valid/images", "masks_dir": f"{folder}/valid/masks"},
    )
    model = build_model(config, policy="float32")
    draw_initial_weights(model, config.train.seed)
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    save_weights(model, RunFolder.of(config).best_model)
    save_config(config, run / "config.toml")
    print(f"{model.count_params():,} parameters, {size} x {size}")


def export(folder: str, engine: str) -> None:
    """Write an export of the run."""
    from flexunet.config.files import load_config
    from flexunet.deployment.export import export_bundle

    form, _, int8 = engine.partition("-")
    start = time.perf_counter()
    # Untrained, it finds nothing, and any pixel that flips changes Dice.
    report = export_bundle(load_config(folder), form, int8=bool(int8), force=True).report
    assert report is not None
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peaks = [resource.getrusage(who).ru_maxrss / 2**20 for who in whose]
    print(
        f"{engine}: exported in {time.perf_counter() - start:.0f} s, largest difference "
        f"{report['largest_difference']:.1e}, agreement {100 * report['agreement']:.3f} %, peak memory of "
        f"comparing {peaks[0]:.2f} GiB, of the converting process {peaks[1]:.2f} GiB",
        flush=True,
    )


def alone(work: Callable[..., None], *arguments: Any) -> bool:
    """Do something in a process of its own; whether it came to its end."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        print(f"{work.__name__} {' '.join(map(str, arguments))}: {ended(process.exitcode)}", flush=True)
    return not process.exitcode


def ended(code: int | None) -> str:
    """Why a process is no more."""
    if code is not None and code < 0:
        memory = ": was memory short (dmesg)?" if -code == signal.SIGKILL else ""
        return f"killed by signal {-code}{memory}"
    return f"ended with {code}"


def serve(arm: str, folder: str, started: float, parent: Connection) -> None:
    """One arm in its process: predict an image whenever the parent asks, and answer with the times."""
    from flexunet.config.files import load_config

    config = load_config(folder)
    model = config.model
    shape = (1, model.image_height, model.image_width, model.image_channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype("float32")
    if arm == "plain":
        from flexunet.models.trained import load_trained_model

        plain = load_trained_model(config, precision="float32")

        def predict() -> np.ndarray:
            return plain.predict(pixels, batch_size=1, verbose=0)
    else:
        from flexunet.inference.predict.predictor import Predictor

        config.infer.engine, config.infer.precision = ARMS[arm]
        predictor = Predictor.load(config)

        def predict() -> np.ndarray:
            return predictor.predict_batch(pixels)

    answer = predict()
    parent.send({"start": time.time() - started, "answer": answer})
    while parent.recv():
        start, busy = time.perf_counter(), time.process_time()
        predict()
        parent.send((time.perf_counter() - start, time.process_time() - busy))
    parent.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


class Arm:
    """An arm's process, seen from the parent."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.connection, child = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=serve, args=(name, folder, time.time(), child), daemon=True)
        self.process.start()
        child.close()
        self.first = self.answer()

    def answer(self, *question: bool) -> Any:
        """What it sends, asked or not.

        Raises:
            RuntimeError: if its process has ended, and why.
        """
        try:
            for word in question:
                self.connection.send(word)
            return self.connection.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            raise RuntimeError(f"{self.name}: {ended(self.process.exitcode)}") from error

    def ask(self) -> tuple[float, float]:
        """Let it predict; seconds by the clock and of the processor."""
        return self.answer(True)

    def end(self) -> float:
        """Let its process end; its peak memory in MiB."""
        peak = self.answer(False)
        self.process.join()
        return peak


def measure(name: str, folder: str, rounds: int) -> dict[str, Any]:
    """One arm in turns with the plain one."""
    plain, ours = Arm("plain", folder), Arm(name, folder)
    for arm in (plain, ours):
        arm.ask()  # memory and caches settle
    rows = []
    for number in range(rounds):
        # Every other round begins with the other arm, so that neither always runs in the other's wake.
        order = (plain, ours) if number % 2 else (ours, plain)
        taken = {arm: arm.ask() for arm in order}
        rows.append((*taken[plain], *taken[ours]))
    found = np.array(rows)
    difference = float(np.abs(plain.first["answer"] - ours.first["answer"]).max())
    return {
        "arm": name,
        "plain_s": statistics.median(found[:, 0]),
        "ours_s": statistics.median(found[:, 2]),
        "ratio": statistics.median(found[:, 0] / found[:, 2]),
        "ratio_low": float((found[:, 0] / found[:, 2]).min()),
        "ratio_high": float((found[:, 0] / found[:, 2]).max()),
        "plain_processor_s": statistics.median(found[:, 1]),
        "ours_processor_s": statistics.median(found[:, 3]),
        "ratio_processor": statistics.median(found[:, 1] / found[:, 3]),
        "difference": difference,
        "start_s": ours.first["start"],
        "plain_start_s": plain.first["start"],
        "peak_mib": ours.end(),
        "plain_peak_mib": plain.end(),
    }


def profile(name: str, folder: str) -> None:
    """Print where an OpenVINO arm's time goes, by layer: its kernel shows which number format it took."""
    from flexunet.config.files import load_config
    from flexunet.inference.runtimes.bundle import find_bundle
    from flexunet.inference.runtimes.load import OpenVinoRuntime

    config = load_config(folder)
    engine, precision = ARMS[name]
    runtime = OpenVinoRuntime(find_bundle(config, engine), precision, profile=True)
    model = config.model
    pixels = np.zeros((1, model.image_height, model.image_width, model.image_channels), np.float32)
    for _ in range(3):
        runtime.predict_on_batch(pixels)
    rows = runtime.profile()
    total = sum(row[0] for row in rows)
    for milliseconds, kind, kernel, layer in rows[:40]:
        print(f"{milliseconds:8.2f} ms {100 * milliseconds / total:5.1f} %  {kind:24} {kernel:28} {layer}")
    print(f"{total:8.2f} ms in all")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--run", type=Path, help="run folder of an earlier call with --keep, used again")
    parser.add_argument("--keep", type=Path, help="keep the run folder here (2 GB)")
    parser.add_argument("--profile", action="store_true", help="say where the time goes instead (OpenVINO)")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    options = parser.parse_args()
    wanted = len(options.only)
    with tempfile.TemporaryDirectory(prefix="inference-") as temporary:
        folder = str(options.run or options.keep or Path(temporary) / "run")
        if not options.run:
            engines = sorted({ARMS[name][0] for name in options.only} - {"keras"})
            if not alone(prepare, folder, options.size):
                raise SystemExit(1)
            # An export that fails costs its own arms, not the others.
            missing = {engine for engine in engines if not alone(export, folder, engine)}
            options.only = [name for name in options.only if ARMS[name][0] not in missing]
        if options.profile:
            for name in options.only:
                profile(name, folder)
            return
        print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}")
        print(
            "| arm | plain s | arm s | times as fast | of processor time | start s | peak MiB | difference |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        rows = []
        for name in options.only:
            try:
                row = measure(name, folder, options.rounds)
            except RuntimeError as error:
                print(f"| {name} | not measured: {error} |", flush=True)
                for process in multiprocessing.active_children():
                    process.terminate()
                    process.join()
                continue
            rows.append(row)
            print(
                f"| {name} | {row['plain_s']:.3f} | {row['ours_s']:.3f} "
                f"| {row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) "
                f"| {row['ratio_processor']:.2f} | {row['start_s']:.1f} (plain {row['plain_start_s']:.1f}) "
                f"| {row['peak_mib']:.0f} (plain {row['plain_peak_mib']:.0f}) | {row['difference']:.1e} |",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    if len(rows) < wanted:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
