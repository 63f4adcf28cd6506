import subprocess
import sys

import numpy as np
import pytest

from flexunet.errors import ConfigError, ShapeError
from flexunet.training.batches.dataset import Batches, Part, encode_targets


class Numbers:
    """A source whose image number i is filled with i, and its mask with i modulo 3."""

    def __init__(self, count, dtype=np.uint8, scale=1):
        self.images = (
            np.ones((count, 4, 4, 3), dtype) * (np.arange(count, dtype=dtype) * scale)[:, None, None, None]
        )
        self.masks = np.ones((count, 4, 4), np.uint8) * (np.arange(count, dtype=np.uint8) % 3)[:, None, None]

    def __len__(self):
        return len(self.images)

    def read(self, indices):
        return self.images[indices], self.masks[indices]


def epoch_of(batches):
    return [tuple(images[:, 0, 0, 0].astype(int)) for images, _ in (batches[i] for i in range(len(batches)))]


def turn(images, masks, generator):
    return images + generator.integers(0, 100, (len(images), 1, 1, 1), dtype=np.uint8), masks


def test_shapes_types_and_values():
    batches = Batches(Numbers(5), 2, 3, shuffle=False, seed=1)
    images, targets = batches[1]
    assert (images.shape, images.dtype) == ((2, 4, 4, 3), np.float32)
    assert (targets.shape, targets.dtype) == ((2, 4, 4, 3), np.float32)
    assert images[:, 0, 0, 0].tolist() == [2.0, 3.0]
    assert targets[:, 0, 0].tolist() == [[0, 0, 1], [1, 0, 0]]


def test_the_last_batch_may_be_smaller():
    batches = Batches(Numbers(5), 2, 3, shuffle=False, seed=1)
    assert len(batches) == 3
    assert epoch_of(batches) == [(0, 1), (2, 3), (4,)]


def test_shuffling_visits_every_image_once_in_a_new_order_each_epoch():
    batches = Batches(Numbers(20), 4, 3, shuffle=True, seed=1)
    first = epoch_of(batches)
    assert sorted(sum(first, ())) == list(range(20))
    assert all(list(batch) == sorted(batch) for batch in first)  # as they lie on disk
    batches.epoch = 1
    second = epoch_of(batches)
    assert sorted(sum(second, ())) == list(range(20))
    assert first != second
    batches.epoch = 0
    assert epoch_of(batches) == first
    assert epoch_of(Batches(Numbers(20), 4, 3, shuffle=True, seed=2)) != first


def test_augmentation_follows_from_seed_epoch_and_batch():
    source = Numbers(6)
    batches = Batches(source, 2, 3, shuffle=False, seed=5, augment=turn)
    batches.epoch = 3
    expected, _ = turn(*source.read([2, 3]), np.random.default_rng([5, 3, 1]))
    assert np.array_equal(batches[1][0], expected)
    assert np.array_equal(batches[1][0], batches[1][0])
    assert (source.images[2] == 2).all()


@pytest.mark.parametrize("augment", [None, turn])
def test_the_parts_of_two_processes_come_to_the_batch_of_one(augment):
    whole, *parts = (
        Batches(Numbers(7), 4, 3, shuffle=True, seed=5, augment=augment, part=part)
        for part in (Part(), Part(0, 2, 2), Part(1, 2, 2))
    )
    for array, first, second in zip(whole[0], parts[0][0], parts[1][0], strict=True):
        assert len(first) == len(second) == 2
        assert np.array_equal(np.concatenate([first, second]), array)
    # Three images are no two equal parts: both take them whole, marked by an axis.
    for array, first, second in zip(whole[1], parts[0][1], parts[1][1], strict=True):
        assert np.array_equal(first, array[np.newaxis])
        assert np.array_equal(second, array[np.newaxis])


def test_a_batch_is_shared_by_devices_not_by_processes():
    # Two processes of two devices each: six rows are three for each process, but no share for each device.
    assert Part(1, 2, 4).rows(8) == slice(4, 8)
    assert Part(1, 2, 4).rows(6) is None


def test_sixteen_bits_are_scaled_to_255():
    batches = Batches(Numbers(3, np.uint16, 257 * 10), 3, 3, shuffle=False, seed=0)
    assert batches[0][0][:, 0, 0, 0].tolist() == [0.0, 10.0, 20.0]


def test_targets_of_one_class():
    masks = np.array([[[0, 1]]], np.uint8)
    assert encode_targets(masks, 1).tolist() == [[[[0.0], [1.0]]]]
    assert encode_targets(masks, 2).tolist() == [[[[1.0, 0.0], [0.0, 1.0]]]]


def test_classes_at_odds_with_the_masks():
    with pytest.raises(ShapeError, match="hold class 2, the model has 2 classes"):
        encode_targets(np.array([[[2]]], np.uint8), 2)
    with pytest.raises(ShapeError, match="num_classes"):
        encode_targets(np.array([[[2]]], np.uint8), 1)
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        Batches(Numbers(2), 0, 2, shuffle=True, seed=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_training_sees_the_same_batches_whatever_the_number_of_workers(workers):
    import keras

    source = Numbers(7)
    seen = []

    class Recorder(keras.Model):
        def __init__(self):
            super().__init__()
            self.scale = keras.layers.Dense(3, kernel_initializer="zeros")

        def call(self, images):
            return self.scale(images)

        def train_step(self, data):
            images, _ = data
            seen.append(np.asarray(images)[:, 0, 0, 0].tolist())
            return {"loss": keras.ops.mean(images)}

        def test_step(self, data):
            return {"loss": keras.ops.mean(data[0])}

    model = Recorder()
    model.compile(loss="mse", run_eagerly=True)
    batches = Batches(source, 2, 3, shuffle=True, seed=11, augment=turn, workers=workers)
    valid = Batches(source, 2, 3, shuffle=False, seed=11, workers=workers)
    model.fit(batches, validation_data=valid, epochs=3, shuffle=False, verbose=0)
    assert batches.epoch == 3

    plain = Batches(source, 2, 3, shuffle=True, seed=11, augment=turn)
    expected = []
    for plain.epoch in range(3):
        expected += [plain[index][0][:, 0, 0, 0].tolist() for index in range(4)]
    assert seen == expected

    seen.clear()
    again = Batches(source, 2, 3, shuffle=True, seed=11, augment=turn, workers=workers)
    again.epoch = 2
    model.fit(again, initial_epoch=2, epochs=3, shuffle=False, verbose=0)
    assert seen == expected[8:]


def test_importing_the_data_room_imports_no_engine():
    code = (
        "import sys, flexunet.data.cache.open, flexunet.data.dataset.folder;"
        "found = {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
