import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError, DatasetError


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 15:30] = 1
    for split in ("train", "test"):
        write_image(tmp_path / "ds" / split / "images" / "1.png", rng.integers(0, 256, (40, 40, 1), np.uint8))
        write_mask(tmp_path / "ds" / split / "masks" / "1.png", mask, ColorMap.binary())
    return tmp_path / "ds"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "augment.toml"
    path.write_text("[augmentor]\nangles = [90]\nshears = [0.2]\n")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["augment", *map(str, arguments)], catch_exceptions=True)


def test_writes_copies_and_says_how_many(dataset, config, tmp_path):
    result = run(dataset, tmp_path / "out", "--config", config)
    assert result.exit_code == 0, result.output
    assert "hflip                   1 copies" in result.stdout
    assert len(list((tmp_path / "out" / "train" / "images").iterdir())) == 9
    assert len(list((tmp_path / "out" / "test" / "images").iterdir())) == 1


def test_json_is_all_there_is_on_standard_output(dataset, config, tmp_path):
    result = run(dataset, tmp_path / "out", "--config", config, "--json", "--set", "augmentor.shears=[]")
    document = json.loads(result.stdout)
    assert document["copies"] == {"hflip": 1, "vflip": 1, "rotation": 1, "shrink": 1}
    assert document["originals"] == {"train": 1, "test": 1}
    assert document["files"] == 6


def test_refuses_copies_of_test_images(dataset, config, tmp_path):
    result = run(dataset, tmp_path / "out", "--config", config, "--splits", "train, test")
    assert isinstance(result.exception, DatasetError)
    assert "--i-accept-leakage" in str(result.exception)
    assert not (tmp_path / "out").exists()
    result = run(
        dataset, tmp_path / "out", "--config", config, "--splits", "train,test", "--i-accept-leakage"
    )
    assert result.exit_code == 0
    assert len(list((tmp_path / "out" / "test" / "images").iterdir())) == 9


def test_folders_may_stand_in_the_configuration(dataset, config, tmp_path):
    config.write_text('[dataset]\ndataset_dir = "ds"\naugmented_dir = "copies"\n')
    result = run("--config", config)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "copies" / "manifest.csv").is_file()


def test_folders_nowhere_given(config):
    assert isinstance(run("--config", config).exception, ConfigError)


def test_preview_draws_every_copy(dataset, config, tmp_path):
    result = run(dataset, "--config", config, "--preview", tmp_path / "copies.png")
    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "copies.png").shape == (2 * 278, 6 * 260, 3)  # the original and 8 copies
    assert not (tmp_path / "out").exists()


def test_preview_draws_random_transforms_where_they_are_on(dataset, config, tmp_path):
    settings = ("--set", "random_transform.enabled=true")
    result = run(dataset, "--config", config, "--preview", tmp_path / "drawn.png", *settings)
    assert result.exit_code == 0, result.output
    assert "random changes" in result.output
    assert read_image(tmp_path / "drawn.png").shape == (4 * 278, 6 * 260, 3)  # the original and 23 drawings
