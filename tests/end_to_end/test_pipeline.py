"""The whole path through the real command line, on tiny phantoms: train, evaluate, infer, inspect."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flexunet.data.phantom.dataset import write_phantom_dataset

CONFIG = """
[model]
model = "TensorFlowFlexUNet"
image_width = 64
image_height = 64
base_filters = 4
base_kernels = [3, 3]
num_layers = 3
learning_rate = 0.003
clipvalue = 0.4

[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
epochs = 2
batch_size = 4
num_infer_images = 2
learning_rate_reducer = true
precision = "float32"

[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"

[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"

[infer]
images_dir = "dataset/test/images"
output_dir = "predicted"

[tiledinfer]
images_dir = "dataset/test/images"
output_dir = "predicted_tiled"
split_size = 48
overlapping = 16
"""


def published(config: str) -> str:
    """The same configuration in the published dialect: INI with Python literals."""
    return config.replace("[3, 3]", "(3,3)").replace("true", "True") + (
        '[mask]\nmask_file_format = ".png"\nrgb_map = {(0,0,0):0,(255,255,255):1,}\n'
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory, flexunet):
    """A project folder with a data set, trained once for all tests of this file."""
    folder = tmp_path_factory.mktemp("project")
    write_phantom_dataset(
        folder / "dataset", patients=5, splits={"train": 0.6, "valid": 0.2, "test": 0.2}, width=72, height=80
    )
    (folder / "mammogram.toml").write_text(CONFIG)
    (folder / "published.config").write_text(published(CONFIG))
    flexunet("train", folder / "mammogram.toml", "--run", folder / "run", alone=True)
    return folder


def test_train_leaves_a_run_folder(project):
    run = project / "run"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {
        "config.toml",
        "environment.json",
        "history.json",
        "models/best_model.keras",
        "models/mammogram.toml",
        "eval/train_losses.csv",
        "eval/train_losses.png",
        "eval/train_metrics.csv",
        "eval/train_metrics.png",
    } <= names
    assert len((run / "eval" / "train_losses.csv").read_text().splitlines()) == 3
    environment = json.loads((run / "environment.json").read_text())
    assert environment["engine"] == "tensorflow"
    assert environment["precision"] == "float32"
    history = json.loads((run / "history.json").read_text())
    assert history["loss"][1] < history["loss"][0]


def test_chosen_images_are_predicted_after_every_epoch_under_the_published_names(project):
    first_two = sorted(path.stem for path in (project / "dataset/test/images").iterdir())[:2]
    written = sorted(path.name for path in (project / "run/epoch_change_infer").iterdir())
    masks = [f"Epoch_{epoch}_{stem}.png" for epoch in (1, 2) for stem in first_two]
    assert written == sorted([*masks, "index.html"])


def test_evaluate_prints_the_published_figures_beside_baseline_and_foreground(project, flexunet):
    answer = json.loads(flexunet("evaluate", project / "run", "--json").stdout)
    text = json.dumps(answer)
    for name in ("categorical_crossentropy", "dice_coef_multiclass", "dice_per_image_mean", "empty"):
        assert name in text
    published = (project / "run" / "evaluation.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in published] == ["categorical_crossentropy", "dice_coef_multiclass"]


@pytest.mark.parametrize("command", ["infer", "tiledinfer"])
def test_infer_writes_palette_masks_at_each_images_own_size(project, command, flexunet):
    output = {"infer": "predicted", "tiledinfer": "predicted_tiled"}[command]
    answer = json.loads(flexunet(command, project / "run", "--json").stdout)
    images = sorted((project / "dataset/test/images").iterdir())
    assert [Path(path).name for path in answer["masks"]] == [f"{path.stem}.png" for path in images]
    for path in images:
        with Image.open(project / "run" / output / f"{path.stem}.png") as mask:
            assert mask.mode == "P"
            assert mask.size == (72, 80)
            assert set(np.unique(np.asarray(mask))) <= {0, 1}
        with Image.open(project / "run" / f"{output}_overlay" / f"{path.stem}.png") as overlay:
            assert overlay.size == (72, 80)


def test_a_broken_image_is_named_and_the_rest_is_predicted(project, tmp_path, flexunet):
    whole = next((project / "dataset/test/images").iterdir())
    (tmp_path / "whole.png").write_bytes(whole.read_bytes())
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "empty.png").write_bytes(b"")
    answer = flexunet("infer", project / "run", "--images", tmp_path, "--out", tmp_path / "out", check=False)
    assert answer.returncode == 2
    assert "half.png" in answer.stderr
    assert "empty.png" in answer.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole.png"]


def test_inspect_counts_and_draws(project, tmp_path, flexunet):
    described = json.loads(flexunet("inspect", project / "mammogram.toml", "--json").stdout)
    # Worked by hand: encoder 112+148, 296+584, 1168+2320; up 520, 584+... see docs/models.md for the rule.
    assert described["output_shape"] == [64, 64, 2]
    assert described["parameters"] == sum(layer["parameters"] for layer in described["layers"])
    before = sorted(project.rglob("*"))
    assert f"{described['parameters']:,} parameters" in flexunet("inspect", project / "mammogram.toml").stdout
    assert sorted(project.rglob("*")) == before
    written = flexunet("inspect", project / "mammogram.toml", "--out", tmp_path, "--json").stdout
    assert json.loads(written)["written"] == [str(tmp_path / "summary.txt"), str(tmp_path / "model.png")]
    assert f"{described['parameters']:,}" in (tmp_path / "summary.txt").read_text()
    with Image.open(tmp_path / "model.png") as picture:
        assert picture.size[0] > 600


def test_a_published_configuration_trains_and_infers_as_it_is(project, flexunet):
    config = project / "published.config"
    flexunet("train", config, "--set", "train.epochs=1", "--set", "train.save_weights_only=True")
    assert (project / "models/best_model.weights.h5").is_file()
    assert (project / "models/published.config").is_file()
    flexunet("infer", config, alone=True)
    assert len(list((project / "predicted").iterdir())) == 4


def test_the_same_seed_gives_the_same_run(project, tmp_path, flexunet):
    losses = []
    for name, alone in (("first", True), ("second", False)):
        arguments = ("--run", tmp_path / name, "--set", "train.epochs=1")
        flexunet("train", project / "mammogram.toml", *arguments, alone=alone)
        losses.append((tmp_path / name / "eval/train_losses.csv").read_text())
    assert losses[0] == losses[1]


def test_training_again_keeps_the_earlier_run_until_there_is_something_in_its_place(
    project, tmp_path, flexunet
):
    run = tmp_path / "run"
    flexunet("train", project / "mammogram.toml", "--run", run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    mask = next((project / "dataset/train/masks").iterdir())
    broken = tmp_path / "dataset"
    (broken / "images").mkdir(parents=True)
    (broken / "masks").mkdir()
    (broken / "images" / mask.name).write_bytes(b"no image")
    (broken / "masks" / mask.name).write_bytes(mask.read_bytes())
    settings = [f"train.{kind}_dir={(broken / kind).as_posix()!r}" for kind in ("images", "masks")]
    arguments = [text for setting in settings for text in ("--set", setting)]
    answer = flexunet("train", project / "mammogram.toml", "--run", run, *arguments, check=False)
    assert answer.returncode == 2
    assert mask.name in answer.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
