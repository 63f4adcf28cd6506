from pathlib import Path

import pytest

from flexunet.config.checks import check_image_size
from flexunet.config.convert import converted_text
from flexunet.config.files import load_config

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


def test_the_mammogram_configuration_is_the_published_one(reference):
    [published] = (reference / "configs").glob("*Mammogram-Mastery*")
    theirs, ours = load_config(published).model, load_config(CONFIGS / "mammogram.toml").model
    differing = {key for key in type(ours).model_fields if getattr(ours, key) != getattr(theirs, key)}
    assert differing == {"model", "metrics"}
