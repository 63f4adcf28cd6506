"""A full round on real films: derive drafts, review them on the desk, train on what was reviewed."""

import re
import shutil
import subprocess
import sys

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.derive.crop import CropBox
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import DatasetError
from flexunet.training.run import train

CONFIG = """
[model]
image_width = 64
image_height = 64
num_layers = 2
base_filters = 2
base_kernels = [3, 3]
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
dataset_splitter = true
epochs = 1
epoch_change_infer = false
run_dir = "run"
"""


def flexunet(*words, refused=False):
    """The command line, in this process."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(done.exception, DatasetError) if refused else done.exit_code == 0, done.output
    return str(done.exception) if refused else done.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    write_phantom_dataset(folder / "dataset", patients=3, splits={"train": 1.0}, width=64, height=64)
    (folder / "config.toml").write_text(CONFIG)
    train(load_config(folder / "config.toml"))
    return folder / "run"


def review(folder, strokes):
    """By the reader's hand: accept, correct by a box, no lesion; then export. The folder exported."""
    command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser", "--reader", "ann"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address, query = re.search(r"(http://[^/\s]+)/(\S+)", process.stdout.readline()).groups()
            with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
                client.get(f"/{query}")
                headers = {"X-Desk-CSRF": client.get("/api/session").json()["csrf"]}
                items = client.get("/api/queue", params={"order": "name"}).json()["items"]
                for item, verdict in zip(items, ("accept", "correct", "no_lesion"), strict=True):
                    number, version = item["id"], 0
                    if verdict == "correct":
                        form = {"base_version": 0, "tool": "brush", **strokes}
                        answer = client.post(f"/api/items/{number}/strokes", json=form, headers=headers)
                        version = answer.json()["version"]
                    form = {"verdict": verdict, "seconds": 3, "base_version": version}
                    answer = client.post(f"/api/items/{number}/verdict", json=form, headers=headers)
                    assert answer.status_code == 200, answer.text
                answer = client.post("/api/export", json={"target": "dataset"}, headers=headers)
                return answer.json()["folder"]
        finally:
            process.terminate()


@pytest.mark.parametrize("name", ["csaw_s_fullsize", "cdd_cesm"])
def test_films_drafts_review_training(name, run, mammograms, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    for path in sorted((mammograms / name / "images").iterdir())[:3]:
        shutil.copy(path, films / path.name)
    flexunet("derive", films, tmp_path / "derived", "--masks-from", run, "--min-confidence", 1, "--jobs", 1)
    drafts = tmp_path / "derived" / "to_review"
    assert len(Manifest.read(drafts).rows) == 3
    told = flexunet("split", drafts, tmp_path / "split", "--no-look", refused=True)
    assert "3 drafts that no person has checked" in told

    box = {"x": 10, "y": 20, "width": 30, "height": 12}
    exported = tmp_path / "reviewed"
    shutil.copytree(review(drafts, {"box": box, "runs": [1, 30 * 12]}), exported)
    rows = Manifest.read(exported).rows
    assert [row["status"] for row in rows] == ["accepted", "corrected", "no_lesion"]
    corrected = read_mask(exported / rows[1]["mask"], ColorMap.binary())
    assert corrected[20:32, 10:40].all()

    # Back on the films, by the crop.
    flexunet("derive", films, tmp_path / "again", "--masks", exported / "masks", "--jobs", 1)
    again = {row["source"]: row for row in Manifest.read(tmp_path / "again").rows}
    on_film = CropBox.from_row(rows[1]).restore(corrected)
    assert int(again[rows[1]["source"]]["raw_lesion_pixels"]) == np.count_nonzero(on_film) > 0
    assert int(again[rows[2]["source"]]["raw_lesion_pixels"]) == 0

    folders = {
        "images_dir": exported / "images",
        "masks_dir": exported / "masks",
        "run_dir": tmp_path / "run",
    }
    result = train(load_config(run, [f"train.{key}={path.as_posix()}" for key, path in folders.items()]))
    assert result.epochs == 1
