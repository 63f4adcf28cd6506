"""What a configuration makes of a data set: shares of lesions, crops, prediction at the same resolution."""

import os
import shutil
import signal

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import open_split
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, RunStoppedError
from flexunet.evaluation.run import evaluate
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.predictor import Predictor
from flexunet.training.batches.feeding import all_pixels, images_of_step, training_batches, validation_batches
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.follow.callbacks import StopOnNaN
from flexunet.training.run import train

CONFIG = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 2
num_layers = 2
learning_rate = 0.01
metrics = ["dice_coef_multiclass"]
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 4
epochs = 1
precision = "float32"
num_infer_images = 1
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[infer]
images_dir = "dataset/valid/images"
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_dataset(
        folder / "dataset", patients=4, splits={"train": 0.75, "valid": 0.25}, width=80, height=96
    )
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def configured(dataset, tmp_path):
    def load(*settings):
        return load_config(
            dataset / "config.toml", [f"train.run_dir={(tmp_path / 'run').as_posix()}", *settings]
        )

    return load


def test_a_share_of_whole_images_holds_a_lesion(configured):
    config = configured("train.lesion_share=0.5", "train.steps_per_epoch=6")
    cache = open_split(config, "train")
    batches = training_batches(config, cache)
    assert len(batches) == 6
    for step in range(6):
        images, targets = batches[step]
        assert images.shape == (4, 32, 32, 1)
        assert targets[..., 1].any(axis=(1, 2)).sum() == 2
        paths = images_of_step(batches, cache, step)
        expected = [cache.pairs[index].image_path for index in batches.indices(step)]
        assert paths == expected


def test_random_transforms_are_drawn_anew_each_epoch_and_validation_images_stay(configured):
    settings = ["random_transform.enabled=true", "train.steps_per_epoch=3"]
    config = configured(*settings, "random_transform.flip=never", "random_transform.gamma_probability=1.0")
    batches = training_batches(config, open_split(config, "train"))
    assert len(batches) == 3
    first = batches[1]
    batches.epoch = 1
    assert not np.array_equal(batches[1][0], first[0])
    batches.epoch = 0
    for again, before in zip(batches[1], first, strict=True):
        assert np.array_equal(again, before)
    assert first[0].max() <= 255
    assert (first[1].sum(axis=-1) == 1).all()
    valid = open_split(config, "valid")
    plain = validation_batches(configured(), valid)[0]
    assert np.array_equal(validation_batches(config, valid)[0][0], plain[0])


def test_crops_at_full_resolution_hold_the_share(configured):
    config = configured("train.crop=random", "train.lesion_share=0.5", "train.steps_per_epoch=3")
    batches = training_batches(config, open_split(config, "train"))
    for step in range(3):
        images, targets = batches[step]
        assert images.shape == (4, 32, 32, 1)
        assert targets[..., 1].any(axis=(1, 2)).sum() >= 2
    first = batches[0][0]
    batches.epoch = 1
    assert not np.array_equal(batches[0][0], first)
    batches.epoch = 0
    assert np.array_equal(batches[0][0], first)
    whole = read_image(images_of_step(batches, batches.cache.cache, 0)[0], 1)[..., 0]
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32))
    assert (windows == first[0, ..., 0]).all(axis=(2, 3)).any()


def test_blue_first_crops(dataset, tmp_path):
    shutil.copytree(dataset / "dataset", tmp_path / "dataset")
    shutil.copy(dataset / "config.toml", tmp_path)
    for path in list_images(tmp_path / "dataset" / "train" / "images"):
        red = read_image(path, 1)
        write_image(path, np.concatenate([red, red // 2, red // 4], axis=2))
    settings = ["train.crop=random", "model.image_channels=3", "train.lesion_share=0.25"]
    images, turned = (
        training_batches(config, open_split(config, "train"))[0][0]
        for config in (
            load_config(tmp_path / "config.toml", [*settings, f"image.color_order={order}"])
            for order in ("RGB", "BGR")
        )
    )
    assert images[..., 0].mean() > 3 * images[..., 2].mean()
    assert np.array_equal(images[..., ::-1], turned)


def test_validation_crops_do_not_depend_on_the_epoch(configured):
    config = configured("train.crop=random")
    cache = open_split(config, "valid")
    batches = validation_batches(config, cache)
    assert len(batches) == -(-2 * len(cache) // 4)
    first = batches[0][0]
    batches.epoch = 5
    assert np.array_equal(batches[0][0], first)


def test_crops_must_be_square(dataset):
    with pytest.raises(ConfigError, match=r"takes square crops.*image_width = 32 and image_height = 64"):
        load_config(dataset / "config.toml", ["train.crop=random", "model.image_height=64"])


def test_a_crop_size_without_crops_is_noted(configured):
    assert any("crop_size has no effect" in note for note in configured("train.crop_size=64").notes)


def test_a_run_on_crops_predicts_and_evaluates_tiles_of_their_size(configured):
    config = configured("train.crop=random", "train.crop_size=40", "train.lesion_share=0.5")
    result = train(config)
    assert np.isfinite(result.history["val_loss"]).all()

    found = infer_folder(config)
    predictor = Predictor.load(config)
    image = read_image(list_images(config.resolve("dataset/valid/images"))[0], 3)
    by_hand = configured(
        "train.crop=none", "tiledinfer.split_size=40", "tiledinfer.overlapping=20", "train.epochs=2"
    )
    expected = Predictor(predictor.model, by_hand).predict_tiled(image)
    assert np.allclose(predictor(image), expected, atol=1e-6)
    assert len(found.mask_paths) == 4
    assert not found.failures
    # Another crop size gives other masks: those that are there do not count as done.
    assert infer_folder(configured("train.crop=random", "train.crop_size=80")).reused == 0

    scores = evaluate(config).scores
    assert scores.images == 4
    assert scores.published.computed_on.startswith("probabilities of tiles at 32 x 32")
    # 96 x 80 pixels scaled by 32/40 are 77 x 64: 3 x 2 tiles an image.
    assert len(all_pixels(config, open_split(config, "test"))) == 4 * 3 * 2


def test_a_run_on_crops_that_is_stopped_and_goes_on_ends_the_same(configured, tmp_path, monkeypatch):
    """With everything else that has a state: heads, average, groups that the stop cuts, schedule, dropout."""
    settings = (
        *("train.crop=random", "train.lesion_share=0.3", "train.epochs=2", "train.steps_per_epoch=4"),
        *("model.num_layers=3", "model.deep_supervision=true", "model.dropout_rate=0.2"),
        *("train.ema_momentum=0.9", "train.accumulate_steps=3"),
        *("train.learning_rate_schedule=polynomial", "train.warmup_epochs=0.5"),
    )
    train(configured(*settings))
    whole = tmp_path / "whole"
    (tmp_path / "run").rename(whole)
    original = StopOnNaN.on_train_batch_end

    def stop_in_second_epoch(self, batch, logs=None):
        original(self, batch, logs)
        if (self.epoch, batch) == (1, 1):
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(StopOnNaN, "on_train_batch_end", stop_in_second_epoch)
        with pytest.raises(RunStoppedError):
            train(configured(*settings))
    train(configured(*settings), resume="must")
    ends = [CheckpointStore(run).read() for run in (whole, tmp_path / "run")]
    for group in ("model", "optimizer", "metrics"):
        pairs = zip(*(end.arrays(group) for end in ends), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert (whole / "history.json").read_text() == (tmp_path / "run" / "history.json").read_text()
