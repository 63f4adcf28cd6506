"""Steps are told without waiting for the device: a loss is read when the next step is under way."""

import keras
import pytest

from flexunet.errors import DivergedError
from flexunet.training.follow.callbacks import BestCheckpoint, ShowProgress, StopOnNaN, note_on_monitor
from flexunet.training.follow.told import LateList


class OnDevice:
    """A loss that is still computed: reading it would wait, and is noted."""

    def __init__(self, step, value, read):
        self.step, self.value, self.read = step, value, read

    def __float__(self):
        self.read.add(self.step)
        return self.value


def told(tmp_path, *more):
    """Our callbacks that look at steps, in a list, and what the progress was told of steps."""
    lines = []

    def progress(stage, done, total, note=""):
        if stage == "steps":
            lines.append(note)

    best = BestCheckpoint(tmp_path / "best.h5", "val_loss")
    own = [
        StopOnNaN(best.path, lambda step: [tmp_path / f"{step}.png"]),
        ShowProgress(progress, 1, 4, 2, best),
    ]
    callbacks = LateList([*own, *more])
    callbacks.on_epoch_begin(0)
    return callbacks, lines


def test_a_first_epoch_without_a_number_is_kept_until_one_comes(tmp_path):
    best = BestCheckpoint(tmp_path / "best.keras", "val_dice", lower_is_better=False)
    best.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    kept = []
    for epoch, value in enumerate((float("nan"), float("nan"), 0.2, 0.1)):
        best.on_epoch_end(epoch, {"val_dice": value})
        kept.append(best.best_epoch)
    assert kept == [1, 2, 3, 3]
    assert (tmp_path / "best.keras").is_file()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.0, 0.0], "was 0 in each of the 2 epochs"),
        ([float("nan")] * 3, "was no number in each of the 3 epochs"),
        ([0.0, 0.1], ""),
        ([0.5], ""),
    ],
)
def test_a_figure_that_never_moves_is_named(values, told):
    notes = note_on_monitor("val_dice", values)
    assert [told in note for note in notes] == ([True] if told else [])


def test_a_step_is_read_when_the_next_is_under_way(tmp_path):
    callbacks, lines = told(tmp_path)
    read = set()
    for step, value in enumerate([4.0, 3.0, 2.0]):
        callbacks.on_train_batch_end(step, {"loss": OnDevice(step, value, read)})
        assert read == set(range(step))
    callbacks.settle()
    assert read == {0, 1, 2}
    assert ["loss" in line for line in lines] == [False, False, True, True]
    assert lines[2].endswith("loss 4.0000")
    assert lines[3].endswith("loss 3.0000")


def test_a_loss_that_is_no_number_is_told_with_its_own_step(tmp_path):
    callbacks, _ = told(tmp_path)
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_train_batch_end(1, {"loss": float("nan")})
    with pytest.raises(DivergedError, match=r"nan in epoch 1, step 2: .*1\.png"):
        callbacks.on_train_batch_end(2, {"loss": 1.0})


def test_the_last_step_is_looked_at_before_a_checkpoint(tmp_path):
    callbacks, _ = told(tmp_path)
    callbacks.on_train_batch_end(0, {"loss": float("inf")})
    with pytest.raises(DivergedError, match="inf in epoch 1, step 1"):
        callbacks.settle()


@pytest.mark.parametrize("name", ["on_train_batch_end", "on_batch_end"])
def test_a_callback_of_the_callers_gets_numbers_of_the_step_at_hand(tmp_path, name):
    seen = []
    own = type("Own", (keras.callbacks.Callback,), {name: lambda self, batch, logs=None: seen.append(logs)})
    callbacks, _ = told(tmp_path, own(), keras.callbacks.Callback())
    read = set()
    callbacks.on_train_batch_end(0, {"loss": OnDevice(0, 4.0, read)})
    assert seen == [{"loss": 4.0}]
    assert read == {0}
