"""A grid through a real Slurm: arrays, a preemption that goes on from its checkpoint, what is gathered."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flexunet
from flexunet.config.files import load_config, save_config
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.programs.jobs.grid import Grid

SETTINGS = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 2
[train]
images_dir = "folds/fold_1/train/images"
masks_dir = "folds/fold_1/train/masks"
batch_size = 2
epochs = 2
patience = 1000
precision = "float32"
[valid]
images_dir = "folds/fold_1/valid/images"
masks_dir = "folds/fold_1/valid/masks"
[test]
images_dir = "folds/fold_1/test/images"
masks_dir = "folds/fold_1/test/masks"
[evaluate]
bootstrap_samples = 50
"""
LONG = 8  # epochs of the task that is preempted, many more than it has done by then


def run(environment, *words):
    command = [sys.executable, "-m", "flexunet", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(slurm, name):
    return [job["JobState"] for job in slurm.jobs() if job["JobName"] == name]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_grid_is_trained_preempted_and_gathered(slurm, tmp_path):
    folder = tmp_path / "a folder; touch $(hacked) 'x'"
    folder.mkdir()
    write_phantom_dataset(folder / "dataset", patients=6, splits={"train": 1.0}, width=40, height=40)
    environment = {**slurm.environment, "PYTHONPATH": str(Path(flexunet.__file__).parents[1])}
    slurm.environment.update(PYTHONPATH=environment["PYTHONPATH"], OMP_NUM_THREADS="1")
    run(environment, "split", folder / "dataset" / "train", folder / "folds", "--folds", 2, "--by", "patient")
    (folder / "small.toml").write_text(SETTINGS)
    out = folder / "grid"
    told = run(
        environment,
        *("cluster", "slurm", folder / "small.toml", "--out", out, "--folds", 2, "--seeds", 2),
        *("--cpus", 1, "--time", "1:00:00", "--memory", "2G", "--notice", 30),
    )
    assert "4 tasks in 2 arrays" in told
    grid = Grid.read(out)
    first = grid.tasks[0]
    config = load_config(grid.config_file(first))
    config.train.epochs = LONG
    save_config(config, grid.config_file(first))

    submitted = slurm.ask("bash", out / "submit.sh")
    arrays = [int(number) for number in re.findall(r"train_\d\.sbatch: job (\d+)", submitted)]
    assert len(arrays) == 2
    history = grid.run_dir(first) / "history.json"
    slurm.wait(lambda: history.is_file() and len(json.loads(history.read_text())["loss"]) >= 2, "two epochs")
    slurm.ask("scancel", "--batch", "--signal=USR1", f"{arrays[0]}_0")

    # Completed, not cancelled: the gathering job starts once all tasks have ended.
    slurm.wait(lambda: states(slurm, "flexunet-gather") == ["COMPLETED"], "everything is gathered")
    assert set(states(slurm, "flexunet-train")) == {"COMPLETED"}
    again = [job for job in slurm.jobs() if job["JobName"] == "flexunet-train" and job["Restarts"] == "1"]
    assert [(job["ArrayJobId"], job["ArrayTaskId"]) for job in again] == [(str(arrays[0]), "0")]

    log = (out / "logs" / f"train_{arrays[0]}_0.log").read_text()
    assert "stopped by SIGTERM at epoch" in log
    assert "queued again, to go on from the checkpoint" in log
    assert re.search(r"small-fold_1-seed_137: going on from (epoch|the beginning of epoch) \d+", log)
    assert len(json.loads(history.read_text())["loss"]) == LONG

    summary = json.loads((out / "gathered" / "summary.json").read_text())
    assert summary["missing"] == []
    assert list(summary["scores"]["small"]) == ["137", "138"]
    pooled = json.loads((out / "gathered" / "small-seed_138" / "scores.json").read_text())
    assert pooled["images"] == len(list((folder / "dataset" / "train" / "images").iterdir()))
    with (out / "gathered" / "summary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["seeds"] for row in rows if row["score"] == "dice_per_image_mean"} <= {"0", "1", "2"}
    assert not list(tmp_path.rglob("hacked"))
    completed = subprocess.run(
        ["sacct", "-c", "--format=JobID,JobName,State"],
        env=slurm.environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert completed.count("COMPLETED") >= 5
    if place := os.environ.get("FLEXUNET_KEEP_SLURM"):  # for a report
        Path(place).write_text(f"{submitted}\n{completed}\n{log}")
