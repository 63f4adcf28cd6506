"""A plan for a real folder: what it refuses, that it can be used, and that it is the same each time."""

import json
import shutil

import numpy as np
import pytest

from flexunet.cli.model.init import seconds_of
from flexunet.config.checks import check_image_size
from flexunet.config.files import load_config
from flexunet.data.configured import split_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, DatasetError, PathError
from flexunet.machine import Machine
from flexunet.planning.plan import plan_training

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "phantoms"
    write_phantom_dataset(folder, 6, splits={"train": 0.5, "valid": 0.25, "test": 0.25}, width=96, height=128)
    return folder


@pytest.mark.filterwarnings("error")
def test_the_configuration_is_usable_and_finds_the_data_from_where_it_lies(dataset, tmp_path):
    file = tmp_path / "deep" / "phantoms.toml"
    plan = plan_training(dataset, machine=LAPTOP)
    document = plan.write(file, "./phantoms_run")
    config = load_config(file)
    check_image_size(config)
    assert config.notes == []
    for split in ("train", "valid", "test"):
        assert len(split_pairs(config, split)) == plan.facts.splits[split]
    assert (config.model.image_width, config.model.image_height, config.model.num_layers) == (96, 128, 5)
    assert config.model.image_channels == 1
    shown = config.resolve(config.train.epoch_change_images_dir)
    assert shown.resolve() == (dataset / "valid/images").resolve()  # test images are for `evaluate`
    assert config.run_dir == file.parent / "phantoms_run"
    told = json.loads(document.read_text())
    assert told["dataset"]["width"] == 96
    assert {"section", "key", "value", "reason"} == set(told["decisions"][0])
    # Every line that sets a key follows a line that says why.
    lines = file.read_text().splitlines()
    assert all(
        lines[n - 1].startswith("# ") for n, line in enumerate(lines) if " = " in line and line[0] != "#"
    )


def test_same_data_same_file(dataset, tmp_path):
    texts = [plan_training(dataset, machine=LAPTOP).text(tmp_path) for _ in range(2)]
    assert texts[0] == texts[1]


def test_nothing_is_overwritten(dataset, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("# mine\n")
    with pytest.raises(PathError, match=r"mine\.toml is there already"):
        plan_training(dataset, machine=LAPTOP).write(file)
    assert file.read_text() == "# mine\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_data_set_that_leaks_is_refused(dataset, tmp_path):
    leaking = tmp_path / "leaking"
    shutil.copytree(dataset, leaking)
    image = sorted((leaking / "train/images").iterdir())[0]
    shutil.copy(image, leaking / "test/images/renamed.png")
    shutil.copy(leaking / "train/masks" / image.name, leaking / "test/masks/renamed.png")
    with pytest.raises(DatasetError, match=r"(?s)audit found.*renamed.*--i-accept-audit-errors"):
        plan_training(leaking, machine=LAPTOP)
    accepted = plan_training(leaking, machine=LAPTOP, accept_audit_errors=True)
    assert any("is not true" in note for note in accepted.notes)


def test_class_folders_and_guessed_colours(tmp_path):
    """Two folders of a class each, three grey classes, no splits: one path with `*`, a fifth held back."""
    random = np.random.default_rng(0)
    colors = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1, (192, 192, 192): 2})
    for folder in ("Cancer", "Normal"):
        for number in range(3):
            image = random.integers(0, 255, (64, 48)).astype(np.uint8)
            mask = np.zeros((64, 48), np.uint8)
            mask[10:50, 5:40], mask[20:30, 10 + number : 30] = 1, 2
            write_image(tmp_path / "set" / folder / "images" / f"{folder}{number}.png", image)
            write_mask(tmp_path / "set" / folder / "masks" / f"{folder}{number}.png", mask, colors)
    plan = plan_training(tmp_path / "set", machine=LAPTOP, accept_audit_errors=True)
    assert plan.facts.folders == {"all": ("*/images", "*/masks")}
    assert plan.facts.num_classes == 3
    plan.write(tmp_path / "set.toml")
    config = load_config(tmp_path / "set.toml")
    assert len(split_pairs(config, "train")) + len(split_pairs(config, "valid")) == 6
    assert not config.train.epoch_change_infer
    assert any("no test images" in note for note in plan.notes)


def test_images_without_masks_cannot_be_planned_for(tmp_path):
    write_image(tmp_path / "images" / "a.png", np.zeros((16, 16), np.uint8))
    with pytest.raises(DatasetError, match="expected images with masks"):
        plan_training(tmp_path, machine=LAPTOP, accept_audit_errors=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2h", 7200), ("90 s", 90), ("45", 2700), ("1.5h", 5400)]
)
def test_budgets(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "soon", "-5m", "1e9h", "30 parsecs", "²m"])
def test_what_is_no_budget(text):
    with pytest.raises(ConfigError, match="expected a time such as 30m"):
        seconds_of(text)
