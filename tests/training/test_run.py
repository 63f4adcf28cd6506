"""A training run in process: what the callbacks do, and what is refused."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, DatasetError, DivergedError, OutOfMemoryError, PairingError
from flexunet.models.registry import build_model
from flexunet.training import run_callbacks
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.memory import check_memory, explained_memory_errors, step_bytes
from flexunet.training.run import train

MODEL = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 2
learning_rate = 0.003
metrics = ["dice_coef_multiclass", "dice_coef_foreground"]
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 4
epochs = 2
precision = "float32"
run_dir = "run"
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_dataset(
        folder / "dataset", patients=4, splits={"train": 0.75, "valid": 0.25}, width=32, height=32
    )
    return folder


@pytest.fixture
def configured(dataset, tmp_path):
    """A function from settings to a configuration with a run folder of its own."""

    def load(*settings):
        file = dataset / "config.toml"
        file.write_text(MODEL)
        return load_config(file, [f"train.run_dir={(tmp_path / 'run').as_posix()}", *settings])

    return load


def test_the_reducer_fires(configured):
    # A step too small to change anything: no epoch after the first is better, so after two of them the
    # rate is halved, and after two more again.
    result = train(
        configured(
            "model.learning_rate=1e-30",
            "train.epochs=6",
            "train.patience=10",
            "train.learning_rate_reducer=true",
            "train.reducer_patience=2",
            "train.reducer_factor=0.5",
            "model.dropout_rate=0.0",
        )
    )
    assert result.history["lr"] == pytest.approx([1e-30, 1e-30, 1e-30, 0.5e-30, 0.5e-30, 0.25e-30])
    assert result.best_epoch == 1


def test_early_stopping_waits_for_its_patience(configured):
    result = train(configured("model.learning_rate=1e-30", "train.epochs=9", "train.patience=3"))
    assert result.epochs == 4
    assert result.ended == "stopped early after epoch 4: no better for 3 epochs"


def test_a_decrease_below_min_delta_is_no_progress(configured):
    """The loss falls in every epoch here, by far less than 5."""
    result = train(configured("train.epochs=9", "train.patience=2", "train.min_delta=5"))
    losses = result.history["val_loss"]
    assert losses[1] < losses[0]
    assert result.epochs == 3


def test_the_monitored_metric_chooses_the_epoch_and_the_patience(configured):
    """The Dice of validation masks is computed though [model] metrics does not name it; more is better."""
    result = train(
        configured("train.monitor='val_dice_per_image_mean'", "train.epochs=12", "train.patience=2")
    )
    watched = result.history["val_dice_per_image_mean"]
    assert result.monitor == "val_dice_per_image_mean"
    assert result.best_value == pytest.approx(max(watched))
    assert result.best_epoch == watched.index(max(watched)) + 1
    assert result.epochs == min(12, result.best_epoch + 2)
    header = (result.run_dir / "eval/train_metrics.csv").read_text().splitlines()[0]
    assert "val_dice_per_image_mean" in header


def test_nothing_stops_or_slows_before_the_least_number_of_steps(configured):
    """Three steps an epoch; a change of more than 1 never comes, so patience counts from the first on."""
    never_better = ("train.min_delta=1", "train.patience=1", "train.epochs=9")
    assert train(configured(*never_better)).epochs == 2
    assert train(configured(*never_better, "train.min_steps=10")).epochs == 6
    reducing = ("train.learning_rate_reducer=true", "train.reducer_patience=1", "model.learning_rate=1e-12")
    rates = train(configured(*reducing, "train.epochs=6", "train.min_steps=6")).history["lr"]
    assert rates[:3] == pytest.approx([rates[0]] * 3)


def test_validation_of_the_training_images_with_re_estimated_statistics(configured):
    """On the same images, validation differs from training by its running averages alone."""
    same = ("valid.images_dir=dataset/train/images", "valid.masks_dir=dataset/train/masks")
    normalised = (
        *same,
        "model.normalization=true",
        "model.dropout_rate=0",
        "train.batch_size=99",
        "train.epochs=8",
    )
    gaps = {}
    for batches in (0, 1):
        result = train(configured(*normalised, f"train.statistics_batches={batches}"))
        assert any("running averages" in note for note in result.notes) is (batches == 0)
        # The one step of an epoch is measured before its update, validation after it.
        after, before = result.history["val_loss"][-2], result.history["loss"][-1]
        gaps[batches] = abs(after - before)
    assert gaps[1] < 1e-3 < gaps[0], gaps


def test_an_unknown_monitor_is_named_before_training(configured):
    with pytest.raises(
        ConfigError, match=r"\[train\] monitor: 'dice_per_image' is not a metric.*dice_per_image_mean"
    ):
        train(configured("train.monitor='val_dice_per_image'"))


def test_the_stop_file_ends_the_run_after_the_epoch_and_goes(configured):
    config = configured("train.epochs=5")
    stop_file = config.run_dir / run_callbacks.STOP_FILE
    stop_file.parent.mkdir(parents=True)
    stop_file.touch()  # left over: must not stop anything
    images = iter(range(100))

    original = run_callbacks.WriteHistory.on_epoch_end

    def touch_in_second_epoch(self, epoch, logs=None):
        original(self, epoch, logs)
        if next(images) == 1:
            stop_file.touch()

    run_callbacks.WriteHistory.on_epoch_end = touch_in_second_epoch
    try:
        result = train(config)
    finally:
        run_callbacks.WriteHistory.on_epoch_end = original
    assert result.epochs == 2
    assert result.ended == "stopped by break_training after epoch 2"
    assert not stop_file.exists()


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_best_model(configured):
    train(configured("train.epochs=1"))
    config = configured(
        "model.learning_rate=1e30", "model.clipvalue=1e30", "train.epochs=3", "model.activation=elu"
    )
    kept = (config.run_dir / "models" / "best_model.keras").read_bytes()
    with pytest.raises(DivergedError, match=r"epoch \d+, step \d+.*learning_rate") as caught:
        train(config)
    images = str(caught.value).split("that step: ")[1].rstrip(".").split(", ")
    assert 1 <= len(images) <= 4
    assert all(Path(image).is_file() for image in images)
    assert len((config.run_dir / "models" / "best_model.keras").read_bytes()) == pytest.approx(
        len(kept), rel=0.1
    )


def test_weights_that_are_no_numbers_are_not_saved(configured):
    """A step's loss may be finite still when its update is not: what is on the disk stays good."""
    config = configured("train.epochs=1")
    train(config)
    store = CheckpointStore(config.run_dir)
    kept = store.newest.read_bytes()
    original = run_callbacks.StopOnNaN.on_train_batch_end

    def spoil(self, batch, logs=None):
        original(self, batch, logs)
        self.model.trainable_variables[0].assign(np.full(self.model.trainable_variables[0].shape, np.nan))

    run_callbacks.StopOnNaN.on_train_batch_end = spoil
    try:
        with pytest.raises(DivergedError, match=r"conv2d/kernel holds .* finite, at epoch 2, after step 1"):
            train(configured("train.epochs=2", "train.checkpoint_steps=1"), resume="must")
    finally:
        run_callbacks.StopOnNaN.on_train_batch_end = original
    assert store.newest.read_bytes() == kept
    assert list(store.folder.glob(".*")) == []


def test_without_validation_images_the_training_loss_chooses(configured, dataset):
    config = configured("train.epochs=1")
    config.valid.images_dir = None
    result = train(config)
    assert result.monitor == "loss"
    assert "[valid] names no folder" in result.notes[0]
    assert set(result.history) == {"loss", "dice_coef_multiclass", "dice_coef_foreground", "lr"}


def test_the_splitter_holds_back_whole_patients(configured):
    from flexunet.data.configured import split_pairs

    config = configured("train.dataset_splitter=true")
    config.valid.images_dir = config.valid.masks_dir = None
    training, validation = split_pairs(config, "train"), split_pairs(config, "valid")
    assert len(training) + len(validation) == 12
    assert validation
    assert {pair.patient for pair in training}.isdisjoint(pair.patient for pair in validation)


def test_online_augmentation_goes_round_for_as_many_steps_as_asked(configured):
    result = train(configured("model.generator=true", "train.steps_per_epoch=5", "train.epochs=1"))
    assert result.epochs == 1
    assert np.isfinite(result.history["loss"]).all()


@pytest.mark.parametrize(
    "loss", ["categorical_focal_dice_loss", "dice_loss_foreground", "basnet_hybrid_loss"]
)
def test_published_losses_train(configured, loss):
    result = train(configured(f"model.loss={loss}", "train.epochs=2"))
    assert result.history["loss"][1] < result.history["loss"][0]


def test_a_loss_of_components_trains_with_deep_supervision_and_is_evaluated(configured):
    config = configured(
        "model.loss='component_dice + component_crossentropy'",
        "model.deep_supervision=true",
        "model.num_layers=3",
        "train.epochs=4",
    )
    result = train(config)
    assert result.history["val_loss"][-1] < result.history["val_loss"][0]
    assert 0 < result.history["val_dice_coef_foreground"][-1] < 1


def test_one_class_trains_with_a_sigmoid(configured):
    result = train(
        configured(
            "model.num_classes=1",
            "model.loss=bce_dice_loss",
            'model.metrics=["binary_accuracy"]',
            'train.metrics=["binary_accuracy", "val_binary_accuracy"]',
            "train.epochs=2",
        )
    )
    assert result.history["loss"][1] < result.history["loss"][0]
    header = (result.curves_dir / "train_metrics.csv").read_text().splitlines()[0]
    assert header == "epoch,binary_accuracy,val_binary_accuracy,"


@pytest.mark.bfloat16
@pytest.mark.parametrize("precision", ["mixed_bfloat16"])
def test_mixed_precision_learns_and_is_recorded(configured, precision):
    result = train(configured(f"train.precision={precision}"))
    assert result.history["loss"][1] < result.history["loss"][0]
    environment = json.loads((result.run_dir / "environment.json").read_text())
    assert environment["precision"] == precision


def test_a_run_starts_from_the_weights_of_another(configured, tmp_path):
    first = train(configured())
    start = (tmp_path / "run").rename(tmp_path / "first")
    settings = [f"model.initial_weights={start.as_posix()}", "model.learning_rate=1e-30", "train.epochs=1"]
    second = train(configured(*settings))
    assert second.notes
    assert second.history["val_loss"][0] == pytest.approx(first.best_value, rel=1e-5)


def test_an_unpaired_image_ends_the_run_before_anything_is_written(configured, dataset, tmp_path):
    config = configured(f"train.masks_dir={(dataset / 'dataset/valid/masks').as_posix()}")
    with pytest.raises(PairingError):
        train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", [2, 5])
def test_a_handful_of_images_trains_and_is_validated_on_at_least_one(configured, dataset, tmp_path, count):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    images = sorted((dataset / "dataset" / "train" / "images").iterdir())[:count]
    for number, path in enumerate(images):
        shutil.copy(path, tmp_path / "images" / f"{number}.png")
        shutil.copy(path.parents[1] / "masks" / path.name, tmp_path / "masks" / f"{number}.png")
    folders = [f"train.{kind}_dir={(tmp_path / kind).as_posix()}" for kind in ("images", "masks")]
    config = configured(*folders, "train.dataset_splitter=true", "train.batch_size=8", "train.epochs=1")
    config.valid.images_dir = config.valid.masks_dir = None
    result = train(config)
    assert result.model_path.is_file()
    assert np.isfinite([*result.history["loss"], *result.history["val_loss"]]).all()


def test_too_few_patients_to_split_are_refused(tmp_path):
    write_phantom_dataset(tmp_path / "dataset", patients=1, splits={"train": 1.0}, width=32, height=32)
    file = tmp_path / "config.toml"
    file.write_text(MODEL)
    config = load_config(file, ["train.dataset_splitter=true"])
    config.valid.images_dir = None
    with pytest.raises(DatasetError, match="at least two"):
        train(config)


def test_a_missing_folder_setting_names_its_key(configured):
    config = configured()
    config.train.images_dir = None
    with pytest.raises(ConfigError, match=r"\[train\] images_dir"):
        train(config)


def test_a_batch_beyond_the_machines_memory_is_refused_with_one_that_fits(configured):
    config = configured("train.batch_size=64")
    model = build_model(config)
    fits = step_bytes(model, 16)
    check_memory(model, config, available=step_bytes(model, 64))
    with pytest.raises(OutOfMemoryError, match=r"batch_size = 64.*set \[train\] batch_size to 16 or less"):
        check_memory(model, config, available=fits)
    with pytest.raises(OutOfMemoryError, match="smaller"):
        check_memory(model, config, available=1)


def test_memory_of_a_step_worked_by_hand(configured):
    config = configured("model.num_layers=1", "model.num_classes=2", "model.base_filters=4")
    model = build_model(config)
    # 3x3 kernels: 1*9*4+4, 4*9*4+4, then 1x1: 4*2+2; outputs of 32*32 pixels with 4, 4 and 2 channels.
    weights = 40 + 148 + 10
    outputs = 32 * 32 * (4 + 4 + 2)
    assert step_bytes(model, 3) == weights * 16 + outputs * 4 * 3


def test_the_engines_own_out_of_memory_error_is_explained(configured):
    import tensorflow as tf

    config = configured()
    with pytest.raises(OutOfMemoryError, match=r"\[train\] batch_size = 4"), explained_memory_errors(config):
        tf.zeros([1 << 22, 1 << 22])
    with pytest.raises(ValueError, match="something else"), explained_memory_errors(configured()):
        raise ValueError("something else")


def given_model(classes=2, size=32):
    """Two convolutions, as a caller in Python writes them."""
    return keras.Sequential(
        [
            keras.Input((size, None, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(classes, 1, activation="softmax"),
        ]
    )


def half(y_true, y_pred):
    """A loss that is half whatever is predicted, and so moves no weight."""
    return keras.ops.mean(0.5 + 0.0 * y_pred, axis=(1, 2, 3))


class Told(keras.callbacks.Callback):
    """Counts epochs, and ends the run after the second."""

    epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        self.model.stop_training = self.epochs == 2


def test_a_model_a_loss_and_callbacks_given_in_python(configured):
    keras.utils.set_random_seed(1)
    model, told = given_model(), Told()
    before = [np.array(weight) for weight in model.get_weights()]
    config = configured("train.epochs=5")
    result = train(config, model, loss=half, callbacks=[told])
    assert result.parameters == (9 * 4 + 4) + (4 * 2 + 2)
    assert result.history["loss"] == pytest.approx([0.5, 0.5])
    assert result.ended == "stopped by a callback after epoch 2"
    for weight, at_start in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, at_start)
    told_of = [note.split(" given")[0].split(" was")[0] for note in result.notes]
    assert told_of == ["A model", "The loss 'half'", "val_loss"]  # which was one half in each epoch
    environment = json.loads((config.run_dir / "environment.json").read_text())
    assert environment["the loss given"] == "half"
    # The file in the run folder is the model that was given.
    kept = keras.saving.load_model(result.model_path, compile=False)
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 1)).astype("float32")
    np.testing.assert_array_equal(kept.predict(image, verbose=0), model.predict(image, verbose=0))
    # Its checkpoint is not one of the configured model, nor of another loss.
    with pytest.raises(ConfigError, match=r"the model given was .*weights of shapes.*, is None"):
        train(config, resume="must")
    with pytest.raises(ConfigError, match="the loss given was 'half', is None"):
        train(config, given_model(), resume="must")


def test_a_given_model_learns(configured):
    config = configured("train.epochs=3", "model.learning_rate=0.01", "model.loss=dice")
    history = train(config, given_model()).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("given", "setting", "message"),
    [
        ({"model": given_model(classes=3)}, "", r"given to train\(\): its output has .* num_classes"),
        ({"model": given_model(size=16)}, "", r"its input has the shape \(None, 16, None, 1\)"),
        ({"model": half}, "", r"its input has the shape None"),
        ({"model": given_model()}, "train.save_weights_only=true", "save_weights_only = true"),
        ({"model": given_model()}, "model.deep_supervision=true", "deep_supervision = true"),
        ({"model": given_model()}, "model.initial_weights=other", "initial_weights = '.*other'"),
        ({"loss": "dice"}, "", r"loss = 'dice' given to train\(\).* belongs in \[model\] loss"),
        ({"callbacks": [Told]}, "", "is no keras.callbacks.Callback"),
    ],
)
def test_what_cannot_be_given(configured, given, setting, message):
    config = configured(*[setting] if setting else [])
    with pytest.raises(ConfigError, match=message):
        train(config, **given)
    assert not (config.run_dir / "config.toml").exists()


def test_drafts_are_trained_on_only_when_asked_for(configured, dataset, tmp_path):
    shutil.copytree(dataset / "dataset", tmp_path / "drafts")
    manifest = Manifest.read(tmp_path / "drafts")
    manifest.rows[0] |= {"mask_origin": "model", "confidence": "0.97"}
    manifest.write(tmp_path / "drafts")
    folders = [
        f"{split}.{kind}_dir={(tmp_path / 'drafts' / split / kind).as_posix()}"
        for split in ("train", "valid")
        for kind in ("images", "masks")
    ]
    with pytest.raises(DatasetError, match=r"1 draft that no person has checked.*\[train\] drafts = true"):
        train(configured(*folders))
    assert not (tmp_path / "run").exists()
    assert train(configured(*folders, "train.drafts=true", "train.epochs=1")).epochs == 1
