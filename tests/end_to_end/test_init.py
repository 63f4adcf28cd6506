"""From a folder to a trained and evaluated model by `train DATASET` alone."""

import json
import re
import shutil

import numpy as np
import pytest

from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset

SHORT = ("--set=train.epochs=1", "--set=train.steps_per_epoch=2", "--set=train.warmup_steps=0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init")
    write_phantom_dataset(
        folder / "films", 6, splits={"train": 0.5, "valid": 0.25, "test": 0.25}, width=48, height=64
    )
    return folder


def test_train_a_folder_within_a_time_then_evaluate(folder, flexunet, monkeypatch):
    monkeypatch.chdir(folder)
    trained = flexunet("train", "films", "--budget", "10m", "--json", *SHORT)
    result = json.loads(trained.stdout)
    plan = json.loads((folder / "films.plan.json").read_text())
    timing = plan["timings"][-1]
    assert 0 < timing["seconds"] < 60
    epochs = next(d["value"] for d in plan["decisions"] if d["key"] == "epochs")
    assert epochs == max(4, min(20, timing["steps"] // 50))  # 1,000 steps are enough for 12 images
    assert (result["epochs"], len(result["history"]["loss"])) == (1, 1)
    assert result["monitor"] == "val_dice_per_image_mean"
    flexunet("evaluate", "films_run", "--json")
    assert json.loads((folder / "films_run/evaluation/scores.json").read_text())["images"] == 4


def test_a_second_time_the_file_is_used_as_it_is(folder, flexunet, monkeypatch):
    monkeypatch.chdir(folder)
    text = (folder / "films.toml").read_text()
    again = flexunet("train", "films", "--resume", "auto", *SHORT)
    assert "films.toml says, which is there already" in again.stderr + again.stdout
    assert "nothing was trained" in again.stdout
    assert re.search(r"next +flexunet evaluate \S+films_run\n", again.stdout)
    assert (folder / "films.toml").read_text() == text
    refused = flexunet("train", "films", "--budget", "1h", check=False)
    assert refused.returncode == 2
    assert "films.toml is there already" in refused.stderr


def test_init_explains_each_choice(folder, flexunet, monkeypatch):
    monkeypatch.chdir(folder)
    explained = flexunet("init", "films", "--out", "other.toml", "--explain")
    assert "[model] image_width" in explained.stdout
    assert "48 x 64" in " ".join(explained.stdout.split())


def test_explain_of_what_is_written_already_changes_nothing(folder, flexunet, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    flexunet("init", folder / "films")
    (tmp_path / "films.toml").write_text("# changed by hand\n")
    explained = flexunet("init", folder / "films", "--explain")
    assert "[model] image_width" in explained.stdout
    assert "films.toml is there already, and was left as it is" in explained.stdout
    assert (tmp_path / "films.toml").read_text() == "# changed by hand\n"
    refused = flexunet("init", folder / "films", check=False)
    assert refused.returncode == 2
    assert "films.toml is there already, and is not overwritten" in refused.stderr


def test_a_data_set_of_the_same_name_elsewhere_is_not_mistaken(folder, flexunet, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for place in ("a", "b"):
        shutil.copytree(folder / "films", tmp_path / place / "split")
    flexunet("init", "a/split")
    refused = flexunet("train", "b/split", *SHORT, check=False)
    assert refused.returncode == 2
    told = " ".join(refused.stderr.split())
    assert "a/split/train/images" in told
    assert "flexunet init b/split --out OTHER.toml" in told
    assert not (tmp_path / "split_run").exists()


def write_films(folder, names, lesion_in):
    """Films of grey noise, 64 x 80, with a disc of 20 pixels in the masks of some."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:80, :64]
    disc = ((columns - 20) ** 2 + (rows - 40) ** 2 < 100).astype(np.uint8) * 255
    for name in names:
        image = random.integers(0, 255, (80, 64)).astype(np.uint8)
        write_image(folder / "images" / f"{name}.png", image)
        write_image(folder / "masks" / f"{name}.png", disc if name in lesion_in else 0 * disc)
    return folder


@pytest.mark.parametrize(
    ("names", "lesion_in", "told"),
    [
        (["a"], ["a"], "All training images are of one source"),
        (
            ["P34_L_DM_CC", "P34_R_DM_CC", "P34_L_DM_MLO"],
            ["P34_L_DM_CC"],
            "All training images are of one patient",
        ),
        (["a", "b", "c"], [], "No training mask holds a class other than 0"),
    ],
)
def test_what_init_writes_for_a_poor_data_set_can_be_trained(
    tmp_path, flexunet, monkeypatch, names, lesion_in, told
):
    monkeypatch.chdir(tmp_path)
    write_films(tmp_path / "poor", names, lesion_in)
    written = flexunet("init", "poor", "--i-accept-audit-errors")
    assert told in " ".join((written.stdout + written.stderr).split())
    text = (tmp_path / "poor.toml").read_text()
    assert "lesion at least 0 pixels" not in text
    result = json.loads(flexunet("train", "poor", "--json", "--set=model.base_filters=2", *SHORT).stdout)
    assert result["monitor"] == ("val_" if len(names) == 3 and not lesion_in else "") + "dice_per_image_mean"
