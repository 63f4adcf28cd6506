"""A stopped run goes on as if it had never been stopped: same weights to the bit, same curves."""

import json
import os
import shlex
import shutil
import signal

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import open_split
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import RunStoppedError
from flexunet.training.batches.feeding import evaluation_batches
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.compiling import compile_model
from flexunet.training.follow import callbacks as training_callbacks
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


# What else a step can depend on: schedule, average, groups of 3 and 1 steps, each number format. A reducer
# and a schedule exclude each other.
BEYOND = (
    "train.learning_rate_reducer=false",
    "train.learning_rate_schedule=cosine",
    "train.warmup_steps=2",
    "train.ema_momentum=0.5",
    "train.accumulate_steps=3",
    "train.statistics_batches=0",  # of the other runs, batch normalisation is re-estimated
)
KINDS = {
    "published": (),
    "beyond": BEYOND,
    "bfloat16": (*BEYOND, "train.precision=mixed_bfloat16"),
    "float16": (*BEYOND, "train.precision=mixed_float16"),
}


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
    """A function from a kind to a run that nobody stops, and the run folder at every moment that differs.

    What SIGKILL leaves behind is the folder as it stands: a copy of it is a run killed at that moment.
    """
    runs = {}

    def of(kind):
        if kind not in runs:
            runs[kind] = photographed(project, tmp_path_factory.mktemp(kind), KINDS[kind])
        return runs[kind]

    return of


def photographed(project, folder, settings):
    run, moments = folder / "run", folder / "moments"

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
    from flexunet.training import run_callbacks

    # Between the history, which is written by then, and the checkpoint of the epoch, which is not.
    run_callbacks.epoch_predictions = lambda *arguments: [*original(*arguments), Photograph()]
    try:
        train(configured(project, run, *settings))
    finally:
        run_callbacks.epoch_predictions = original
    return run, moments


@pytest.mark.parametrize(
    # No checkpoint yet; within an epoch; between history and checkpoint; after the last step but one.
    ("kind", "moment"),
    [
        ("published", "0-begins"),
        ("published", "0-2-step"),
        ("published", "1-ends"),
        ("published", "2-2-step"),
        # Within a group of steps.
        pytest.param("beyond", "0-2-step", marks=pytest.mark.engines),
        pytest.param("bfloat16", "1-2-step", marks=pytest.mark.bfloat16),
        ("float16", "1-2-step"),
    ],
)
def test_from_any_moment_on(project, unstopped, tmp_path, kind, moment):
    run = tmp_path / "run"
    unstopped_run, moments = unstopped(kind)
    shutil.copytree(moments / moment, run)
    result = train(configured(project, run, *KINDS[kind]), resume="auto")
    assert result.epochs == 3
    assert_same(outcome(unstopped_run), outcome(run))


def test_the_average_is_what_is_validated_and_kept(project, unstopped):
    """Raw weights in the checkpoint, averages in the best model; rates of each epoch's first update."""
    run, _ = unstopped("beyond")
    config = configured(project, run, *BEYOND)
    checkpoint = CheckpointStore(run).read()
    history = json.loads((run / "history.json").read_text())
    # Two updates an epoch: 4 steps in groups of 3 and 1. Two of warm-up, then four down from 0.01.
    assert history["lr"] == pytest.approx([0.005, 0.01, 0.01 * (1 + np.cos(np.pi / 2)) / 2])
    best = keras.saving.load_model(run / "models" / "best_model.keras", compile=False)
    assert checkpoint.state["callbacks"]["BestCheckpoint"]["best_epoch"] == 3
    compile_model(config, best)
    figures = best.evaluate(
        evaluation_batches(config, open_split(config, "valid")), return_dict=True, verbose=0
    )
    assert figures["loss"] == pytest.approx(history["val_loss"][2], rel=1e-5)
    count = len(best.trainable_variables)
    raw = list(checkpoint.arrays("model"))[:count]
    kept = [keras.ops.convert_to_numpy(variable) for variable in best.trainable_variables]
    assert not any(np.array_equal(one, other) for one, other in zip(raw, kept, strict=True))
    averages = [array for array in checkpoint.arrays("optimizer") if array.ndim]
    for wanted in kept:
        assert any(np.array_equal(wanted, array) for array in averages)


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
    # The command of the message, taken at its word, goes on in the same folder with the same settings.
    program, name, path, *options = shlex.split(str(caught.value).partition("Go on with: ")[2])
    assert (program, name, options[-2:]) == ("flexunet", "train", ["--resume", "auto"])
    config = load_config(path, [option.removeprefix("--set=") for option in options[:-2]])
    assert (config.run_dir, config.train.checkpoint_steps) == (run, 1000)
    result = train(config, resume="must")
    assert "epoch 2, after step 2" in result.resumed
    assert_same(outcome(unstopped("published")[0]), outcome(run))
