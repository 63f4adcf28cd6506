"""A configuration that lies there already: of this data set, and of the data set as it is now."""

import json
import shutil

import pytest

from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, DatasetError
from flexunet.machine import Machine
from flexunet.planning.plan import plan_training
from flexunet.planning.written import check_written, listing_digest

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "first" / "split"
    write_phantom_dataset(folder, 4, splits={"train": 0.5, "valid": 0.25, "test": 0.25}, width=48, height=64)
    return folder


@pytest.fixture
def file(dataset, tmp_path):
    file = tmp_path / "split.toml"
    plan_training(dataset, machine=LAPTOP).write(file)
    return file


def leak(dataset):
    """Copy a training image into the test images, under another name."""
    image = sorted((dataset / "train/images").iterdir())[0]
    shutil.copy(image, dataset / "test/images/renamed.png")
    shutil.copy(dataset / "train/masks" / image.name, dataset / "test/masks/renamed.png")


def test_another_data_set_of_the_same_name_is_refused(dataset, file, tmp_path):
    other = tmp_path / "second" / "split"
    shutil.copytree(dataset, other)
    check_written(dataset, file)
    with pytest.raises(ConfigError, match=r"(?s)first/split/train/images.*second/split.*--out OTHER\.toml"):
        check_written(other, file)


def test_a_link_to_the_data_set_is_the_same_data_set(dataset, file, tmp_path):
    (tmp_path / "link").symlink_to(dataset)
    check_written(tmp_path / "link", file)


def test_a_leak_that_came_after_the_plan_is_refused(dataset, file):
    leak(dataset)
    with pytest.raises(DatasetError, match=r"(?s)audit found.*renamed.*not as it was"):
        check_written(dataset, file)


def test_a_configuration_without_its_plan_is_audited(dataset, file):
    file.with_suffix(".plan.json").unlink()
    check_written(dataset, file)
    leak(dataset)
    with pytest.raises(DatasetError, match="renamed"):
        check_written(dataset, file)


def test_errors_that_were_accepted_stay_accepted_but_new_ones_do_not(dataset, tmp_path):
    leak(dataset)
    file = tmp_path / "accepted.toml"
    document = plan_training(dataset, machine=LAPTOP, accept_audit_errors=True).write(file)
    assert any("renamed" in error for error in json.loads(document.read_text())["accepted_errors"])
    image = sorted((dataset / "train/images").iterdir())[0]
    image.touch()  # seen as a change, so that it is audited
    assert json.loads(document.read_text())["listing"] != listing_digest(dataset)
    check_written(dataset, file)
    another = sorted((dataset / "train/images").iterdir())[1]
    shutil.copy(another, dataset / "valid/images/moved.png")
    shutil.copy(dataset / "train/masks" / another.name, dataset / "valid/masks/moved.png")
    shutil.copy(another, dataset / "test/images/moved2.png")
    shutil.copy(dataset / "train/masks" / another.name, dataset / "test/masks/moved2.png")
    with pytest.raises(DatasetError, match="moved"):
        check_written(dataset, file)


def test_the_listing_tells_of_new_files_and_not_of_those_beside_the_folders(dataset):
    before = listing_digest(dataset)
    (dataset / "notes.txt").write_text("a run folder may lie here")
    assert listing_digest(dataset) == before
    (dataset / "test/images/another.png").write_bytes(b"")
    assert listing_digest(dataset) != before
