"""The checkpoint file: two generations, whole or not taken; who may go on from it; one run a folder."""

import errno
import os

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.errors import ConfigError, PathError, WeightsError
from flexunet.training.checkpoint.files import CheckpointStore
from flexunet.training.checkpoint.resume import choose_resume, find_start, is_over, run_identity

ARRAYS = {"model": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)], "random": []}


BOTH = ["checkpoint.npz", "checkpoint.previous.npz"]


def write(store, epoch, **state):
    document = {"identity": {}, "epoch": epoch, "ended": None, "callbacks": {}, **state}
    store.write(document, {name: iter(arrays) for name, arrays in ARRAYS.items()})


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path)


def test_what_is_written_comes_back(store):
    write(store, 3, best=float("inf"), loss=0.1)
    checkpoint = store.read()
    assert checkpoint.state["epoch"] == 3
    assert (checkpoint.state["best"], checkpoint.state["loss"]) == (float("inf"), 0.1)
    for expected, found in zip(ARRAYS["model"], checkpoint.arrays("model"), strict=True):
        np.testing.assert_array_equal(expected, found)
        assert found.dtype == expected.dtype
    assert list(checkpoint.arrays("random")) == []


def test_the_one_before_stays_until_the_end(store):
    for epoch in (1, 2, 3):
        write(store, epoch)
    assert sorted(path.name for path in store.folder.iterdir()) == BOTH
    store.newest.unlink()
    assert store.read().state["epoch"] == 2
    write(store, 4)
    store.keep_newest()
    assert [path.name for path in store.folder.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("damage", ["cut", "byte", "empty"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(store, damage):
    write(store, 1)
    write(store, 2)
    content = bytearray(store.newest.read_bytes())
    if damage == "byte":
        place = content.index(np.float32(5).tobytes())
        content[place] ^= 1
    store.newest.write_bytes({"cut": content[:-30], "byte": content, "empty": b""}[damage])
    assert store.read().state["epoch"] == 1
    store.previous.write_bytes(b"nor this one")
    with pytest.raises(WeightsError, match=r"checkpoint.npz.*checkpoint.previous.npz.*--resume never"):
        store.read()


def test_an_array_of_python_objects_is_refused(store):
    class Harmful:
        def __reduce__(self):
            return os.abort, ()

    with pytest.raises(ValueError, match="allow_pickle"):
        store.write({}, {"model": [np.array([Harmful()], dtype=object)]})
    assert list(store.folder.iterdir()) == []


def test_a_full_disk_leaves_both_checkpoints(store):
    write(store, 1)
    write(store, 2)

    def full():
        yield np.zeros(3)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PathError, match=r"checkpoint.npz: the disk is full"):
        store.write({}, {"model": full()})
    assert sorted(path.name for path in store.folder.iterdir()) == BOTH
    assert store.read().state["epoch"] == 2


def identity(*settings, folder):
    (folder / "config.toml").write_text("")
    return run_identity(load_config(folder / "config.toml", settings), engine="tensorflow")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["train.batch_size=3"], r"\[train\] batch_size was 4, is 3"),
        (["model.loss=dice_loss"], r"\[model\] loss was 'categorical_crossentropy', is 'dice_loss'"),
        (["train.seed=1", "model.learning_rate=0.5"], r"learning_rate was .*\[train\] seed was 137, is 1"),
    ],
)
def test_a_changed_configuration_is_named(store, tmp_path, settings, named):
    write(store, 1, identity=identity(folder=tmp_path))
    changed = identity(*settings, folder=tmp_path)
    with pytest.raises(ConfigError, match=named):
        find_start("auto", store, changed, {})
    assert find_start("never", store, changed, {}) is None


def test_what_the_steps_do_not_depend_on_may_change(store, tmp_path):
    write(store, 1, identity=identity(folder=tmp_path))
    free = ["train.epochs=7", "train.workers=0", "train.run_dir=x", "infer.output_dir=y"]
    assert find_start("auto", store, identity(*free, folder=tmp_path), {}) is not None


def test_the_number_of_epochs_counts_where_a_schedule_falls_over_them(store, tmp_path):
    cosine = "train.learning_rate_schedule=cosine"
    defaults = identity(folder=tmp_path)
    write(store, 1, identity=identity(cosine, "train.epochs=4", folder=tmp_path))
    find_start("auto", store, identity(cosine, "train.epochs=4", folder=tmp_path), defaults)
    with pytest.raises(ConfigError, match=r"another run: \[train\] epochs was 4, is 8\. Restore"):
        find_start("auto", store, identity(cosine, "train.epochs=8", folder=tmp_path), defaults)
    write(store, 1, identity=identity("train.epochs=4", folder=tmp_path))
    with pytest.raises(ConfigError, match=r"another run: \S+ learning_rate_schedule was [^;]*\. Restore"):
        find_start("auto", store, identity(cosine, "train.epochs=8", folder=tmp_path), defaults)


def test_another_engine_is_named(store, tmp_path):
    write(store, 1, identity=identity(folder=tmp_path))
    with pytest.raises(ConfigError, match="engine was 'tensorflow', is 'jax'"):
        find_start("must", store, identity(folder=tmp_path) | {"engine": "'jax'"}, {})


def test_a_key_that_is_newer_than_the_checkpoint_counts_as_its_default(store, tmp_path):
    now = identity(folder=tmp_path)
    write(store, 1, identity={name: value for name, value in now.items() if name != "[train] seed"})
    assert find_start("auto", store, now, {"[train] seed": "137"}) is not None
    with pytest.raises(ConfigError, match="seed was 136, is 137"):
        find_start("auto", store, now, {"[train] seed": "136"})


def test_without_a_checkpoint(store):
    assert find_start("auto", store, {}, {}) is None
    with pytest.raises(PathError, match="nothing to go on with"):
        find_start("must", store, {}, {})


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match="expected one of never, auto, must"):
        choose_resume("always")


@pytest.mark.parametrize(
    ("epoch", "ended", "stopped_epoch", "epochs", "expected"),
    [
        (3, "all 3 epochs", 0, 3, True),
        (3, "all 3 epochs", 0, 5, False),
        (3, "stopped early", 2, 5, True),
        (3, "stopped by break_training", 0, 5, False),
        (3, None, 0, 5, False),
    ],
)
def test_when_nothing_is_left_to_train(store, epoch, ended, stopped_epoch, epochs, expected):
    write(store, epoch, ended=ended, callbacks={"EarlyStopping": {"stopped_epoch": stopped_epoch}})
    assert is_over(store.read(), epochs) is expected
