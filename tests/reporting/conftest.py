"""A run of which everything is known that a report is filled from, and nothing was trained."""

import json
import shutil
from pathlib import Path

import pytest

from flexunet.config.files import load_config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.scores.rules import ScoringRules

SETTINGS = """
[model]
model = "flexunet"
image_width = 64
image_height = 64
image_channels = 1
base_filters = 4
num_layers = 3
num_classes = 2
[train]
images_dir = "data/train/images"
masks_dir = "data/train/masks"
monitor = "val_loss"
epochs = 9
run_dir = "run"
[valid]
images_dir = "data/valid/images"
masks_dir = "data/valid/masks"
[test]
images_dir = "data/test/images"
masks_dir = "data/test/masks"
"""


@pytest.fixture(scope="session")
def reported(tmp_path_factory):
    """A run folder beside its data set; its masks are the true ones, those of one film left out."""
    folder = tmp_path_factory.mktemp("reported")
    write_phantom_dataset(
        folder / "data", patients=6, splits={"train": 0.34, "valid": 0.33, "test": 0.33}, width=64, height=64
    )
    shutil.copytree(folder / "data/test/masks", folder / "predicted")
    empty = sorted((folder / "predicted").iterdir())
    shutil.copy(_without_lesion(folder, empty), _with_lesion(folder, empty))
    (folder / "run").mkdir()
    (folder / "run/config.toml").write_text(
        SETTINGS.replace('run_dir = "run"', 'run_dir = "."').replace('"data/', f'"{folder.as_posix()}/data/'),
        encoding="utf-8",
    )
    score_folders(
        folder / "data/test/masks",
        folder / "predicted",
        rules=ScoringRules(bootstrap_samples=100),
        out=folder / "run/evaluation",
    )
    environment = {
        "flexunet": "0.1.0", "python": "3.11.7", "engine": "jax", "packages": {"keras": "3.15.1"},
        "processor": "a processor", "cores": 2, "platform": "Linux", "parameters": 12345,
    }  # fmt: skip
    (folder / "run/environment.json").write_text(json.dumps(environment), encoding="utf-8")
    history = {"loss": [3, 2, 1], "val_loss": [3.0, 1.5, 2.0], "best_epoch": 2}
    (folder / "run/history.json").write_text(json.dumps(history))
    return folder / "run"


def _has_lesion(folder, mask):
    rows = {Path(row["mask"]).name: row for row in Manifest.read(folder / "data").rows}
    return int(rows[mask.name]["lesions"]) > 0


def _with_lesion(folder, masks):
    return next(mask for mask in masks if _has_lesion(folder, mask))


def _without_lesion(folder, masks):
    return next(mask for mask in masks if not _has_lesion(folder, mask))


@pytest.fixture
def config(reported):
    """Its configuration."""
    return load_config(reported)
