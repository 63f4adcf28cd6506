"""A folder of images through `flexunet infer`: how much of the time the model is at work.

    python benchmarks/pipeline.py              60 films of csaw_s_fullsize and cdd_cesm, published model
    python benchmarks/pipeline.py --images 12 --side 256 --filters 8 --layers 6

Two figures. The busy share is the time inside model calls, divided by the time from the first image read to
the last mask written. Threads that read and write compete with the model for the processor and make its calls
longer, which that share counts as work; so the same model calls are also timed alone, on images that are read
and resized already, and their time is divided by that of the whole folder: the share of an ideal pipeline.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from flexunet.config.schema import Config
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.errors import ImageError
from flexunet.inference.cases import CaseReader
from flexunet.inference.image_work import ImageWork
from flexunet.inference.inputs import image_labels
from flexunet.inference.outputs.write import Outputs
from flexunet.inference.pipeline import Outcome, Pipeline
from flexunet.inference.predict.predictor import Predictor

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def films(count: int) -> list[Path]:
    """Real films, as many as asked for: those there are, again under other names."""
    found = [
        path for name in ("csaw_s_fullsize", "cdd_cesm") for path in sorted((DATA / name).rglob("images/*"))
    ]
    if not found:
        raise SystemExit(f"expected films below {DATA}, found none: put the shared data beside the project.")
    return [found[number % len(found)] for number in range(count)]


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--memory", type=int, default=1024, help="MiB that the images in flight may take")
    options = parser.parse_args()

    from flexunet.models.initial import draw_initial_weights
    from flexunet.models.registry import build_model

    config = Config(
        model={
            "image_width": options.side,
            "image_height": options.side,
            "num_classes": 2,
            "base_filters": options.filters,
            "base_kernels": (9, 9),
            "num_layers": options.layers,
        },
        # Drawn weights see thousands of specks, which no trained model does.
        infer={"min_lesion_pixels": 1_000_000},
    )
    model = build_model(config, policy=options.precision)
    draw_initial_weights(model, 1)
    predictor = Predictor(model, config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "images")
        folder.mkdir()
        for number, path in enumerate(films(options.images)):
            (folder / f"{number:04d}_{path.name}").symlink_to(path)
        images = list_images(folder)
        labels = image_labels(images)
        outputs = Outputs(config, Path(name, "masks"), Path(name, "masks_overlay"))
        work = ImageWork(CaseReader(config, labels), outputs)
        prepared = []
        for path in images:
            try:
                prepared.append(predictor.prepare(read_image(path, None)))
            except ImageError as error:
                print(error)
        size = predictor.batch_size
        batches = [prepared[first : first + size] for first in range(0, len(prepared), size)]

        def alone() -> float:
            started = time.perf_counter()
            for batch in batches:
                predictor.forward(batch)
            return time.perf_counter() - started

        for count in range(1, size + 1):
            predictor.forward([np.zeros_like(prepared[0])] * count)  # traced for each size of batch
        before = alone()
        outcomes: list[Outcome] = []
        pipeline = Pipeline(work, predictor, memory=options.memory << 20)
        pipeline.run({path: f"{path.stem}.png" for path in images}, outcomes.append)
        after = alone()
    failed = [outcome.failure for outcome in outcomes if outcome.failure]
    found = {
        "images": len(outcomes),
        "failed": len(failed),
        "batch": size,
        "seconds": pipeline.wall_s,
        "busy_share": pipeline.busy_s / pipeline.wall_s,
        "model_alone_s": [before, after],
        "share_of_ideal": (before + after) / 2 / pipeline.wall_s,
        "load": os.getloadavg()[0],
    }
    for key, value in found.items():
        print(f"{key:16} {value}")
    print(json.dumps({"engine": os.environ["KERAS_BACKEND"], **found}))


if __name__ == "__main__":
    main()
