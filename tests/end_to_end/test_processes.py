"""Two processes that train one model, through the command line: as one process, and when one is killed."""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flexunet.data.phantom.dataset import write_phantom_dataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes as Linux lists them"),
]

# Eleven images in batches of four: the last batch of an epoch, and the only one of validation, have three,
# which two processes cannot share evenly. Batch normalisation is re-estimated over batches of both.
CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 2
dropout_rate = 0.1
normalization = true
learning_rate = 0.003
metrics = ["dice_coef_multiclass"]
generator = true
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 4
epochs = 6
precision = "float32"
num_infer_images = 1
learning_rate_reducer = true
statistics_batches = 3
checkpoint_steps = 1
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
[augmentor]
hflip = true
"""


def command(project, *arguments):
    return [sys.executable, "-m", "flexunet", "train", str(project / "config.toml"), *map(str, arguments)]


def train(project, *arguments, **environment):
    return subprocess.run(
        command(project, *arguments),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def curves(run):
    return json.loads((run / "history.json").read_text())


def assert_close(first, second):
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert second[name] == pytest.approx(values, abs=1e-4), name


@pytest.fixture(autouse=True, scope="module")
def compiled_once(tmp_path_factory):
    """Processes of one model take over what the first of them compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    write_phantom_dataset(
        folder / "dataset", patients=4, splits={"train": 0.75, "valid": 0.25}, width=32, height=32
    )
    for split in ("train", "valid"):
        image = min((folder / "dataset" / split / "images").iterdir())
        image.unlink()
        (folder / "dataset" / split / "masks" / image.name).unlink()
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def alone(project):
    answer = train(project, "--run", project / "alone", KERAS_BACKEND="jax")
    assert answer.returncode == 0, answer.stderr
    return project / "alone"


def files(run):
    return {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}


def test_two_processes_train_as_one_does(project, alone):
    run = project / "together"
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    answer = subprocess.run(
        command(project, "--run", run, "--processes", 2, "--json"),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert answer.returncode == 0, answer.stderr
    # One document: the second process says nothing, and nor does the engine.
    assert json.loads(answer.stdout)["epochs"] == 6
    assert answer.stderr.count("epoch 6/6") == 1
    assert_close(curves(alone), curves(run))
    rows = [(folder / "eval" / "train_losses.csv").read_text().splitlines()[1:] for folder in (alone, run)]
    for one, other in zip(*rows, strict=True):
        assert [float(cell) for cell in other.split(", ")] == pytest.approx(
            [float(cell) for cell in one.split(", ")], abs=1.01e-4
        )
    assert {name for name in files(run) if "cache" not in name} == {
        name for name in files(alone) if "cache" not in name
    }
    assert json.loads((run / "environment.json").read_text())["processes"] == 2


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_process_ends_the_run_which_goes_on_from_its_checkpoint(project, alone, killed, tmp_path):
    run = tmp_path / "run"
    launcher = subprocess.Popen(
        command(project, "--run", run, "--processes", "2"),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    try:
        while not (run / "checkpoints" / "checkpoint.npz").exists():
            assert launcher.poll() is None, launcher.stderr.read()
            time.sleep(0.005)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        os.kill(int(children[killed]), signal.SIGKILL)
        said = launcher.communicate()[1]
    finally:
        launcher.kill()
    assert launcher.returncode == 1
    assert f"process {killed} of 2 was killed (SIGKILL)" in said
    assert "--resume auto" in said
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    # On, with as many processes as there are left.
    answer = train(project, "--run", run, "--resume", "must", KERAS_BACKEND="jax")
    assert answer.returncode == 0, answer.stderr
    assert "going on from epoch" in answer.stdout
    assert_close(curves(alone), curves(run))


def test_a_signal_to_the_launcher_stops_all_after_the_same_step(project, tmp_path):
    run = tmp_path / "run"
    launcher = subprocess.Popen(
        command(project, "--run", run, "--processes", "2", "--set", "train.epochs=100"),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    try:
        while not (run / "checkpoints" / "checkpoint.npz").exists():
            assert launcher.poll() is None, launcher.stderr.read()
            time.sleep(0.005)
        launcher.send_signal(signal.SIGTERM)
        said = launcher.communicate()[1]
    finally:
        launcher.kill()
    assert launcher.returncode == 143
    assert "stopped by SIGTERM at epoch" in said
    # The very command that goes on: the same processes, folder and settings.
    told = shlex.split(said.partition("Go on with: ")[2])
    assert told[:2] == ["flexunet", "train"]
    assert told[-4:] == ["--processes", "2", "--resume", "auto"]
    assert {"--set=train.epochs=100", f"--set=train.run_dir='{run.as_posix()}'"} <= set(told)
