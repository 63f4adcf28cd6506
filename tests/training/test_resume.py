"""A stopped run goes on as if it had never been stopped: same weights to the bit, same curves."""

import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.phantom_dataset import write_phantom_dataset
from flexunet.errors import RunStoppedError
from flexunet.training import callbacks as training_callbacks
from flexunet.training.checkpoint import CheckpointStore
from flexunet.training.run import train

# Everything that has a state: dropout, normalisation, augmentation, reducer, patience, two metrics. The third
# epoch is no better, so the reducer is at work within the run.
CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 2
dropout_rate = 0.2
normalization = true
learning_rate = 0.01
metrics = ["dice_coef_multiclass", "dice_coef_foreground"]
generator = true
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 2
epochs = 3
steps_per_epoch = 4
precision = "float32"
run_dir = "run"
learning_rate_reducer = true
reducer_patience = 1
num_infer_images = 1
checkpoint_steps = 1
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
[augmentor]
rotation = true
hflip = true
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    write_phantom_dataset(
        folder / "dataset", patients=3, splits={"train": 0.67, "valid": 0.33}, width=32, height=32
    )
    (folder / "config.toml").write_text(CONFIG)
    return folder


def configured(project, run, *settings):
    return load_config(project / "config.toml", [f"train.run_dir={run.as_posix()}", *settings])


def outcome(run):
    """All that a finished run leaves: arrays of the last state and of the best model, curves, pictures."""
    checkpoint = CheckpointStore(run).read()
    arrays = {
        group: [array.copy() for array in checkpoint.arrays(group)]
        for group in ("model", "optimizer", "metrics")
    }
    model = keras.saving.load_model(run / "models" / "best_model.keras", compile=False)
    arrays["best"] = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.weights]
    texts = {
        name: (run / name).read_text()
        for name in ("eval/train_losses.csv", "eval/train_metrics.csv", "history.json")
    }
    pictures = {path.name: path.read_bytes() for path in (run / "epoch_change_infer").iterdir()}
    return arrays, texts, pictures, checkpoint.state["callbacks"]


def assert_same(first, second):
    for group, arrays in first[0].items():
        for place, (one, other) in enumerate(zip(arrays, second[0][group], strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"{group} {place}")
    assert first[1:] == second[1:]


@pytest.fixture(scope="module")
def unstopped(project, tmp_path_factory):
    """A run that nobody stops, and the run folder as it was on the disk at every moment that differs.

    What SIGKILL leaves behind is the folder as it stands: a copy of it is a run killed at that moment.
    """
    run = tmp_path_factory.mktemp("unstopped") / "run"
    moments = tmp_path_factory.mktemp("moments")

    class Photograph(keras.callbacks.Callback):
        def photograph(self, name):
            shutil.copytree(run, moments / name, ignore=shutil.ignore_patterns("lock"))

        def on_train_batch_end(self, batch, logs=None):
            self.photograph(f"{self.params_epoch}-{batch}-step")

        def on_epoch_begin(self, epoch, logs=None):
            self.params_epoch = epoch
            self.photograph(f"{epoch}-begins")

        def on_epoch_end(self, epoch, logs=None):
            self.photograph(f"{epoch}-ends")

    original = training_callbacks.epoch_predictions
    from flexunet.training import run as training_run

    # Between the history, which is written by then, and the checkpoint of the epoch, which is not.
    training_run.epoch_predictions = lambda *arguments: [*original(*arguments), Photograph()]
    try:
        train(configured(project, run))
    finally:
        training_run.epoch_predictions = original
    return run, moments


@pytest.mark.engines
@pytest.mark.parametrize(
    # No checkpoint yet; within an epoch; between history and checkpoint; after the last step but one.
    "moment",
    ["0-begins", "0-2-step", "1-ends", "2-2-step"],
)
def test_from_any_moment_on(project, unstopped, tmp_path, moment):
    run = tmp_path / "run"
    shutil.copytree(unstopped[1] / moment, run)
    result = train(configured(project, run), resume="auto")
    assert result.epochs == 3
    assert_same(outcome(unstopped[0]), outcome(run))


@pytest.mark.engines
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_stops(project, unstopped, tmp_path, number, code):
    run = tmp_path / "run"
    original = training_callbacks.StopOnNaN.on_train_batch_end

    def signal_in_second_epoch(self, batch, logs=None):
        original(self, batch, logs)
        if (self.epoch, batch) == (1, 1):
            os.kill(os.getpid(), number)

    settings = ("train.checkpoint_steps=1000",)
    training_callbacks.StopOnNaN.on_train_batch_end = signal_in_second_epoch
    before = signal.getsignal(number)
    try:
        with pytest.raises(RunStoppedError, match=r"epoch 2, after step 2.*--resume auto") as caught:
            train(configured(project, run, *settings))
    finally:
        training_callbacks.StopOnNaN.on_train_batch_end = original
    assert caught.value.exit_code == code
    assert signal.getsignal(number) is before
    assert json.loads((run / "history.json").read_text())["loss"][1:] == []
    result = train(configured(project, run, *settings), resume="must")
    assert "epoch 2, after step 2" in result.resumed
    assert_same(outcome(unstopped[0]), outcome(run))
