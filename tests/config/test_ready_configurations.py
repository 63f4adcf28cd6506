import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from flexunet.config.checks import check_image_size
from flexunet.config.convert import converted_text
from flexunet.config.files import load_config
from flexunet.data.images.files.write import write_image
from flexunet.training.follow.callbacks import epoch_predictions

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.name)
def test_ready_configuration(file):
    config = load_config(file, strict=True)
    check_image_size(config)
    assert config.notes == []
    assert file.read_text().startswith("# ")
    assert converted_text(file, file.parent) == file.read_text()
    for split in ("train", "valid", "test"):
        assert config.input_folder(split, "images_dir") == CONFIGS / "dataset" / split / "images"
        assert config.input_folder(split, "masks_dir") == CONFIGS / "dataset" / split / "masks"


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.name)
def test_pictures_of_every_epoch_are_of_validation_images(file, tmp_path):
    """Whoever watches test images while training chooses by them."""
    for split in ("train", "valid", "test"):
        write_image(tmp_path / "dataset" / split / "images" / f"{split}.png", np.zeros((8, 8), np.uint8))
    shutil.copy(file, tmp_path)
    chosen = epoch_predictions(SimpleNamespace(config=load_config(tmp_path / file.name)), [])
    assert [image.name for callback in chosen for image in callback.images] == ["valid.png"]


def test_the_mammogram_configuration_is_the_published_one(reference):
    [published] = (reference / "configs").glob("*Mammogram-Mastery*")
    theirs, ours = load_config(published).model, load_config(CONFIGS / "mammogram.toml").model
    differing = {key for key in type(ours).model_fields if getattr(ours, key) != getattr(theirs, key)}
    assert differing == {"model", "metrics"}
