"""A small run that finds bright discs, trained for some seconds, and what it is exported to."""

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config, save_config
from flexunet.config.schema import Config
from flexunet.data.images.files.write import write_image
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.load import save_weights
from flexunet.run_folder import RunFolder

SIZE = 32


def discs(count, seed):
    """Grey noise with a bright disc each, and their masks."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    middles = random.uniform(8, SIZE - 8, (count, 2, 1, 1))
    areas = random.uniform(16, 49, (count, 1, 1))
    inside = (rows - middles[:, 0]) ** 2 + (columns - middles[:, 1]) ** 2 < areas
    images = random.uniform(0, 150, (count, SIZE, SIZE, 1)) + 90.0 * inside[..., None]
    return np.repeat(images, 3, axis=-1).astype(np.uint8), inside.astype(np.uint8)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run folder: configuration, best model, validation split of twelve images."""
    folder = tmp_path_factory.mktemp("exports") / "run"
    images, masks = discs(12, 1)
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        write_image(folder / f"valid/images/{number:02d}.png", image)
        write_image(folder / f"valid/masks/{number:02d}.png", 255 * mask)
    config = Config(
        model={
            "image_width": SIZE,
            "image_height": SIZE,
            "num_layers": 2,
            "base_filters": 6,
            "base_kernels": (3, 3),
            "dropout_rate": 0.0,
            "input_normalize": True,
        },
        train={"run_dir": str(folder), "batch_size": 4},
        valid={"images_dir": str(folder / "valid/images"), "masks_dir": str(folder / "valid/masks")},
        infer={"images_dir": str(folder / "valid/images")},
    )
    keras.utils.set_random_seed(1)  # in which order it sees its images
    model = build_model(config)
    draw_initial_weights(model, 1)
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    model.optimizer.learning_rate = 0.01
    images, masks = discs(96, 2)
    model.fit(images.astype("float32"), np.eye(2)[masks], batch_size=16, epochs=12, verbose=0)
    save_config(config, folder / "config.toml")
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    save_weights(model, RunFolder.of(config).best_model)
    return folder


@pytest.fixture(scope="session")
def config(run):
    """Its configuration."""
    return load_config(run)
