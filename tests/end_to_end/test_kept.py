"""Files that an earlier version wrote are read by this one: see tests/kept/README.md."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flexunet.cli import app

KEPT = Path(__file__).parents[1] / "kept" / "project_4f07946.zip"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project as it was kept, in a folder of its own."""
    with zipfile.ZipFile(KEPT) as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_command(capsys):
    """Run `flexunet` in this process; its standard output."""

    def run(*arguments):
        app([str(argument) for argument in arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_run_is_evaluated_as_before(project, run_command):
    before = json.loads((project / "run/evaluation/scores.json").read_text())
    now = json.loads(run_command("evaluate", "run", "--json"))
    assert now.keys() >= before.keys()
    told = {entry["name"]: entry["value"] for entry in before["published"]["figures"]}
    for entry in now["published"]["figures"]:
        assert entry["value"] == pytest.approx(told[entry["name"]], abs=1e-4)


def test_its_model_predicts_the_same_masks(project, run_command):
    before = {path.name: np.asarray(Image.open(path)) for path in (project / "run/predictions").glob("*.png")}
    run_command("infer", "run")
    assert len(before) == 4
    for name, mask in before.items():
        # A probability of one half may fall on either side on another processor.
        assert (np.asarray(Image.open(project / "run/predictions" / name)) != mask).mean() < 0.01


def test_a_stopped_run_goes_on_from_its_checkpoint(project, run_command):
    (project / "run" / "break_training").unlink(missing_ok=True)
    first = json.loads((project / "run/history.json").read_text())
    run_command("train", "project.toml", "--resume", "auto")
    history = json.loads((project / "run/history.json").read_text())
    assert len(history["loss"]) == 3
    assert history["loss"][0] == first["loss"][0]


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_an_export_predicts_the_same_masks(project, run_command, engine):
    pytest.importorskip({"openvino": "openvino", "onnx": "onnxruntime"}[engine])
    before = {path.name: np.asarray(Image.open(path)) for path in (project / "run/predictions").glob("*.png")}
    run_command("infer", "run", "--engine", engine, "--set", "infer.output_dir=again")
    for name, mask in before.items():
        # A probability of one half may fall on either side in another runtime.
        assert (np.asarray(Image.open(project / "run/again" / name)) != mask).mean() < 0.01


def test_manifests_tell_where_copies_come_from(project, run_command):
    found = json.loads(run_command("audit", "augmented", "--json"))
    assert not [finding for finding in found["findings"] if finding["severity"] == "error"]
    run_command("split", "split", "again", "--by", "patient")
    rows = (project / "again/manifest.csv").read_text().splitlines()
    assert len(rows) == 17
