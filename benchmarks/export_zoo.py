"""Which architecture exports to which form, and how far its probabilities are from Keras.

    python benchmarks/export_zoo.py                    the table of docs/export.md (some minutes)
    python benchmarks/export_zoo.py u2net --engine torch

The small models of tests/models/zoo/test_zoo.py, random weights, two images of 0..255 at 64 x 32
pixels. A figure is the largest difference of a probability, in float32. `no` is an export that failed, with
its reason below.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FORMS = ("openvino", "onnx", "litert", "saved_model")


def difference(config: Any, form: str, folder: Path, model: Any, pixels: Any) -> float:
    """Export a model and compare what it answers."""
    import numpy as np

    from flexunet.deployment.convert import convert
    from flexunet.inference.runtimes.bundle import Bundle
    from flexunet.inference.runtimes.load import open_bundle

    expected = np.asarray(model.predict_on_batch(pixels))
    folder.mkdir(parents=True)
    path = convert(config, model, form, folder)
    if form == "saved_model":
        import tensorflow as tf

        loaded = tf.saved_model.load(path)
        return float(np.abs(loaded.serve(pixels).numpy() - expected).max())
    shapes = {"input_shape": pixels.shape[1:], "output_shape": expected.shape[1:]}
    about = {
        "int8": False,
        "precision": "float32",
        "weights": "",
        "flexunet": "",
        "packages": {},
        "files": {},
    }
    runtime = open_bundle(Bundle.model_validate({"form": form, **about, **shapes}).at(folder))
    return float(np.abs(runtime.predict_on_batch(pixels) - expected).max())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--engine", default="tensorflow", choices=("tensorflow", "jax", "torch"))
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.engine
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(ROOT))

    from tests.models.test_zoo import SMALL, config_of, images_of

    from flexunet.config.files import save_config
    from flexunet.errors import FlexUNetError
    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model
    from flexunet.models.weights.load import save_weights
    from flexunet.run_folder import RunFolder

    print(f"| model ({options.engine}) | {' | '.join(FORMS)} |")
    print("|---|" + "---:|" * len(FORMS))
    reasons = []
    for name in options.names or SMALL:
        config = config_of(name)
        row = []
        with tempfile.TemporaryDirectory(prefix="export-zoo-") as temporary:
            config.train.run_dir = temporary
            model = build_model(config, policy="float32")
            draw_initial_weights(model, 1)
            RunFolder.of(config).best_model.parent.mkdir(parents=True)
            save_weights(model, RunFolder.of(config).best_model)
            save_config(config, Path(temporary) / "config.toml")
            for form in FORMS:
                folder = Path(temporary) / form
                try:
                    row.append(f"{difference(config, form, folder, model, images_of(config)):.0e}")
                except FlexUNetError as error:
                    row.append("no")
                    reasons.append(f"{name}, {form}: {error}")
                shutil.rmtree(folder, ignore_errors=True)
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    print("\n".join(["", *reasons]))


if __name__ == "__main__":
    main()
