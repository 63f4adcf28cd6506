"""Deep supervision: the loss of the levels by hand, and a model that is none the worse for its heads."""

import json
import math
import shutil

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.trained import load_trained_model
from flexunet.training import run_callbacks
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.compiling import compile_model
from flexunet.training.deep_supervision import supervise_deeply, weights_of_levels, without_heads
from flexunet.training.run import train

KEYS = {"base_filters": 4, "num_layers": 4, "dropout_rate": 0.0, "image_width": 32, "image_height": 64}
# Each architecture's keys for four levels, and the size of the answers below the main one, as 1/f.
ARCHITECTURES = {
    "flexunet": ({}, [2, 4]),
    "attention-unet": ({}, [2, 4]),
    "resenc-unet": ({}, [2, 4]),
    "multires-unet": ({}, [2, 4]),
    "unet3plus": ({}, [2, 4, 8]),
    "unetplusplus": ({}, [1, 1]),
    "sharp-unet": ({"variant": "paper", "filters": [4, 8, 8], "max_filter": 8}, [2, 4]),
    "trans-unet": (
        {"filter_num": [4, 8, 8, 8], "embed_dim": 8, "num_mlp": 8, "num_heads": 1, "num_transformer": 1},
        [2, 4],
    ),
    "efficient-unet": ({}, [2, 4, 8, 16]),
}


def supervised(name="flexunet", **keys):
    config = Config(model={"model": name, **KEYS, "deep_supervision": True, **keys})
    model = build_model(config)
    draw_initial_weights(model, 3)
    return config, supervise_deeply(model, config)


def number(value):
    return float(keras.ops.convert_to_numpy(value))


@pytest.mark.engines
def test_the_loss_of_two_levels_by_hand():
    config, model = supervised(num_layers=3)
    compile_model(config, model)
    # A 2 x 2 image with one lesion pixel, and a level at half its size: one cell, a quarter of it lesion.
    truth = np.eye(2, dtype="uint8")[np.array([[[0, 0], [0, 1]]])]
    fine = np.broadcast_to(np.array([0.5, 0.5], "float32"), (1, 2, 2, 2))
    coarse = np.array([[[[0.8, 0.2]]]], "float32")
    at_fine, at_coarse = -math.log(0.5), -0.75 * math.log(0.8) - 0.25 * math.log(0.2)
    answers = [keras.ops.convert_to_tensor(answer) for answer in (fine, coarse)]
    loss = model.compute_loss(None, keras.ops.convert_to_tensor(truth), answers)
    assert number(loss) == pytest.approx(2 / 3 * at_fine + 1 / 3 * at_coarse, rel=1e-5)


def test_weights_halve_and_sum_to_one():
    assert weights_of_levels(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])


@pytest.mark.engines
def test_a_step_trains_on_all_levels_and_evaluates_the_first():
    config, model = supervised(learning_rate=0.01)
    compile_model(config, model)
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (2, 64, 32, 3)).astype("float32")
    truth = np.eye(2, dtype="uint8")[generator.integers(0, 2, (2, 64, 32))]
    answers = [keras.ops.convert_to_numpy(answer) for answer in model.levels(images, training=False)]
    expected = []
    for level, answer in enumerate(answers):
        shares = truth.reshape(2, 64 >> level, 1 << level, 32 >> level, 1 << level, 2).mean((2, 4))
        expected.append(-(shares * np.log(answer)).sum(-1).mean())
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_variables}
    figures = model.evaluate(images, truth, return_dict=True, verbose=0)
    assert figures["loss"] == pytest.approx(expected[0], rel=1e-4)
    assert model.predict(images, verbose=0).shape == (2, 64, 32, 2)
    trained = model.train_on_batch(images, truth, return_dict=True)
    assert trained["loss"] == pytest.approx(np.dot([4 / 7, 2 / 7, 1 / 7], expected), rel=1e-4)
    assert trained["dice_coef_multiclass"] == pytest.approx(figures["dice_coef_multiclass"], rel=1e-4)
    heads = [weight for weight in model.trainable_variables if "deep_supervision" in weight.path]
    assert len(heads) == 4
    assert all(np.any(before[weight.path] != keras.ops.convert_to_numpy(weight)) for weight in heads)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_that_can(name):
    keys, factors = ARCHITECTURES[name]
    config, model = supervised(name, num_classes=3, **keys)
    shapes = [tuple(answer.shape[1:]) for answer in model.levels.outputs]
    assert shapes == [(64 // factor, 32 // factor, 3) for factor in [1, *factors]]
    assert model.levels.outputs[0] is model.main.outputs[0]
    plain = build_model(config)
    draw_initial_weights(plain, 3)
    for one, other in zip(without_heads(model).get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("deeplabv3plus", {}),
        ("u2net", {"num_layers": 2}),
        ("sharp-unet", {}),
        ("flexunet", {"num_layers": 2}),
    ],
)
def test_one_that_cannot_is_answered_with_those_that_can(name, keys):
    with pytest.raises(ConfigError, match=f"{name} as configured has no .*; flexunet, attention-unet, "):
        supervised(name, **keys)


CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 3
dropout_rate = 0.2
learning_rate = 0.01
deep_supervision = true
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 2
epochs = 2
checkpoint_steps = 1
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
"""


class Photograph(keras.callbacks.Callback):
    """Copies the run folder within the second epoch: what SIGKILL would leave behind."""

    def __init__(self, run, copy):
        super().__init__()
        self.run, self.copy = run, copy

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 1):
            shutil.copytree(self.run, self.copy, ignore=shutil.ignore_patterns("lock"))


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    write_phantom_dataset(
        tmp_path / "dataset", patients=3, splits={"train": 0.67, "valid": 0.33}, width=32, height=32
    )
    (tmp_path / "config.toml").write_text(CONFIG)
    config = load_config(tmp_path / "config.toml", [f"train.run_dir={tmp_path}/run"])
    original = run_callbacks.epoch_predictions
    photograph = Photograph(tmp_path / "run", tmp_path / "killed")
    monkeypatch.setattr(run_callbacks, "epoch_predictions", lambda *given: [*original(*given), photograph])
    result = train(config)
    monkeypatch.undo()
    killed = load_config(tmp_path / "config.toml", [f"train.run_dir={tmp_path}/killed"])
    assert train(killed, resume="must").resumed
    ends = [CheckpointStore(tmp_path / run).read() for run in ("run", "killed")]
    for group in ("model", "optimizer", "metrics"):
        for one, other in zip(*(end.arrays(group) for end in ends), strict=True):
            np.testing.assert_array_equal(one, other)
    assert (tmp_path / "run/history.json").read_text() == (tmp_path / "killed/history.json").read_text()
    # The heads are in the checkpoint, and in nothing else.
    model = load_trained_model(config)
    assert model.count_params() == result.parameters
    assert len(list(ends[0].arrays("model"))) - len(model.variables) == 2
    saved = keras.saving.load_model(result.model_path, compile=False)
    assert [layer.name for layer in saved.layers] == [layer.name for layer in model.layers]
    names = {"loss", "dice_coef_multiclass", "val_loss", "val_dice_coef_multiclass", "lr", "best_epoch"}
    assert set(json.loads((tmp_path / "run/history.json").read_text())) == names
