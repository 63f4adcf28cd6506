"""A disk that is truly full or read-only: said clearly, nothing is lost, and the run goes on."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.run import train

CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 8
num_layers = 3
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 4
epochs = 3
precision = "float32"
num_infer_images = 0
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
"""

# One process on a disk of 4 MiB of its own: an epoch; a full disk; a read-only one.
ON_A_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from flexunet.config.files import load_config
from flexunet.errors import PathError
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.run import train

project, disk, kept = map(Path, sys.argv[1:])
run = disk / "run"

def attempt(**settings):
    texts = [f"train.run_dir={run.as_posix()}", *(f"train.{key}={value}" for key, value in settings.items())]
    try:
        train(load_config(project / "config.toml", texts), resume="auto")
    except PathError as error:
        print(error.exit_code, error, flush=True)

attempt(epochs=1)
room = CheckpointStore(run).newest.stat().st_size // 2
ballast = disk / "ballast"
with ballast.open("wb", buffering=0) as stream:
    try:
        while stream.write(bytes(4096)):
            pass
    except OSError:
        stream.truncate(stream.tell() // 4096 * 4096 - room)
attempt(epochs=3, checkpoint_steps=1)
ballast.unlink()
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
attempt(epochs=3)
subprocess.run(["cp", "-r", run, kept], check=True)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    write_phantom_dataset(
        folder / "dataset", patients=3, splits={"train": 0.67, "valid": 0.33}, width=32, height=32
    )
    (folder / "config.toml").write_text(CONFIG)
    return folder


def outcome(run):
    checkpoint = CheckpointStore(run).read()
    return [*checkpoint.arrays("model"), *checkpoint.arrays("optimizer")], json.loads(
        (run / "history.json").read_text()
    )


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="no disk of one's own can be mounted here",
)
def test_a_full_and_a_read_only_disk(project, tmp_path):
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=4m none "$4" && exec "$1" -c "$2" "$3" "$4" "$5"'
    process = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, ON_A_SMALL_DISK, project, disk, kept],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    full, read_only = process.stdout.splitlines()
    assert full == f"2 cannot write {disk}/run/checkpoints/checkpoint.npz: the disk is full: free some space."
    assert read_only.startswith(f"2 cannot write {disk}/run/checkpoints")
    assert read_only.endswith("the file system is read-only: choose another folder.")
    # The first epoch stands whole, and the run goes on to the end of one that had room.
    assert CheckpointStore(kept).read().state["epoch"] == 1
    train(load_config(project / "config.toml", [f"train.run_dir={kept.as_posix()}"]), resume="must")
    train(load_config(project / "config.toml", [f"train.run_dir={(tmp_path / 'roomy').as_posix()}"]))
    arrays, history = outcome(kept)
    expected, expected_history = outcome(tmp_path / "roomy")
    assert history == expected_history
    for found, wanted in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_file_beyond_the_limit_of_its_size_is_explained(tmp_path):
    resource = pytest.importorskip("resource")
    from flexunet.errors import PathError

    store = CheckpointStore(tmp_path)
    store.write({"format": 1}, {"model": [np.zeros(8)]})
    kept = store.newest.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(PathError, match=r"checkpoint\.npz: the file is larger than the system allows"):
            store.write({"format": 1}, {"model": [np.zeros(8192)]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.newest.read_bytes() == kept
    assert [path.name for path in store.folder.iterdir()] == ["checkpoint.npz"]
