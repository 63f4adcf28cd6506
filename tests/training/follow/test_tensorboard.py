"""Event files read back: every figure once a step, also where a run was killed and went on."""

import io
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from flexunet.config.schema import Config
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.training.follow.callbacks import PredictEpoch
from flexunet.training.follow.history import History
from flexunet.training.follow.tensorboard import WriteTensorBoard, read_events

FIGURES = [
    {"loss": 0.9, "val_loss": 1.0, "lr": 1e-3},
    {"loss": 0.5, "val_loss": 0.7, "lr": 1e-3},
    {"loss": 0.25, "val_loss": 0.75, "lr": 5e-4},
]


@pytest.fixture
def run(tmp_path):
    """A function that follows some epochs of a run, as a new process would."""
    image = tmp_path / "film.png"
    write_image(image, np.full((64, 32, 3), 100, np.uint8))
    masks = tmp_path / "masks"

    def follow(first, last):
        history = History(tmp_path / "eval", ["loss"])
        predicted = PredictEpoch(None, [image], masks)
        callback = WriteTensorBoard(tmp_path / "tensorboard", history, [predicted], Config())
        for epoch in range(last):
            history.append(FIGURES[epoch])
            if epoch >= first:
                mask = np.zeros((64, 32), np.uint8)
                mask[20:40, 10:20] = epoch  # the first is empty
                write_mask(masks / f"Epoch_{epoch + 1}_film.png", mask > 0, ColorMap.binary())
                callback.on_epoch_end(epoch)

    return follow


def events(tmp_path, kind):
    """All events of a folder, by tag: step and value or picture."""
    found = {}
    for path in sorted((tmp_path / "tensorboard" / kind).iterdir()):
        for event in read_events(path):
            for value in event.summary.value:
                what = value.simple_value if value.HasField("simple_value") else value.image
                found.setdefault(value.tag, []).append((event.step, what))
    return found


def scalars(tmp_path, kind):
    return {
        tag: [(step, pytest.approx(value)) for step, value in values]
        for tag, values in events(tmp_path, kind).items()
        if "/" not in tag
    }


def expected(kind):
    if kind == "validation":
        return {"loss": [(1, 1.0), (2, 0.7), (3, 0.75)]}
    return {
        "loss": [(1, 0.9), (2, 0.5), (3, 0.25)],
        "learning_rate": [(1, 1e-3), (2, 1e-3), (3, 5e-4)],
    }


@pytest.mark.parametrize("kind", ["training", "validation"])
def test_every_figure_of_every_epoch(run, tmp_path, kind):
    run(0, 3)
    assert scalars(tmp_path, kind) == expected(kind)


def test_the_chosen_images_with_their_outlines(run, tmp_path):
    run(0, 2)
    ((first, empty), (second, drawn)) = events(tmp_path, "training")["chosen/film"]
    assert (first, second) == (1, 2)
    plain, outlined = (
        np.array(Image.open(io.BytesIO(image.encoded_image_string))) for image in (empty, drawn)
    )
    assert plain.shape == (640, 320, 3)
    assert (plain == 100).all()
    # Rows 20 to 39 of 64 become rows 200 to 399 of 640.
    changed = np.flatnonzero((outlined != 100).any(axis=(1, 2)))
    assert abs(changed.min() - 200) < 10
    assert abs(changed.max() - 399) < 10


@pytest.mark.parametrize("kind", ["training", "validation"])
def test_a_run_that_was_killed_after_its_checkpoint_leaves_no_step_twice(run, tmp_path, kind):
    run(0, 2)
    # Killed in the middle of a write, after epoch 2; its last checkpoint is of epoch 1.
    (path,) = (tmp_path / "tensorboard" / kind).iterdir()
    with path.open("ab") as stream:
        stream.write(struct.pack("<Q", 500) + b"cut")
    run(1, 3)
    assert scalars(tmp_path, kind) == expected(kind)
    assert len(list((tmp_path / "tensorboard" / kind).iterdir())) == 1


@pytest.mark.parametrize(
    "left", ["events.out.tfevents.1.flexunet", ".events.out.tfevents.9.partial.flexunet"]
)
def test_a_run_that_was_killed_while_it_took_over_leaves_no_step_twice(run, tmp_path, left):
    """Beside the new file lies the one before, or the new one is there in part only."""
    run(0, 2)
    folder = tmp_path / "tensorboard" / "validation"
    (path,) = folder.iterdir()
    shutil.copy(path, folder / left)
    run(2, 3)
    assert scalars(tmp_path, "validation") == expected("validation")
    assert len(list(folder.iterdir())) == 1


def test_a_new_run_in_the_same_folder_starts_from_nothing(run, tmp_path):
    run(0, 3)
    run(0, 1)
    assert scalars(tmp_path, "validation") == {"loss": [(1, 1.0)]}


def test_a_damaged_file_gives_what_comes_before_the_damage(run, tmp_path):
    run(0, 3)
    (path,) = (tmp_path / "tensorboard" / "validation").iterdir()
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    steps = [event.step for event in read_events(path)]
    assert steps == [0, 1, 2]
