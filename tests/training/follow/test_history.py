import ast
import json
import math

import cv2
import numpy as np
import pytest

from flexunet.training.follow.history import History

METRICS = ["dice_coef_multiclass", "val_dice_coef_multiclass"]
FIGURES = [
    {"loss": 0.58802, "val_loss": 0.6304, "dice_coef_multiclass": 0.5937, "val_dice_coef_multiclass": 0.7108},
    {
        "loss": 0.44679,
        "val_loss": 0.38779,
        "dice_coef_multiclass": 0.7743,
        "val_dice_coef_multiclass": 0.7993,
    },
]


@pytest.fixture
def history(tmp_path):
    history = History(tmp_path / "eval", METRICS)
    with history:
        for figures in FIGURES:
            history.append(figures)
    return history


def test_curves_have_the_published_form(history):
    losses = (history.eval_dir / "train_losses.csv").read_text()
    assert losses == "epoch, loss, val_loss\n0, 0.5880, 0.6304\n1, 0.4468, 0.3878\n"
    metrics = (history.eval_dir / "train_metrics.csv").read_text()
    assert metrics == (
        "epoch,dice_coef_multiclass,val_dice_coef_multiclass,\n0, 0.5937, 0.7108\n1, 0.7743, 0.7993\n"
    )


def test_curves_equal_the_published_files_for_the_published_history(reference, tmp_path):
    run = reference / "run" / "generator_run"
    text = json.loads((run / "history.json").read_text())
    # The published file is the text of a Python dict in which NumPy's own names stand.
    published = ast.literal_eval(text.replace("np.float32", ""))
    history = History(tmp_path / "eval", METRICS)
    for figures in zip(*published.values(), strict=True):
        history.append(dict(zip(published, figures, strict=True)))
    for name in ("train_losses.csv", "train_metrics.csv"):
        ours = (tmp_path / "eval" / name).read_text().split()
        assert ours == (run / "eval" / name).read_text().split()


def test_pictures_have_the_published_size_and_are_not_blank(history):
    for name in ("train_losses.png", "train_metrics.png"):
        picture = cv2.imread(str(history.eval_dir / name))
        assert picture.shape == (600, 800, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_history_is_real_json(history):
    written = json.loads((history.eval_dir.parent / "history.json").read_text())
    assert written["loss"] == [0.58802, 0.44679]
    assert set(written) == {*FIGURES[0], "best_epoch"}


@pytest.mark.parametrize(
    ("lower_is_better", "values", "best"),
    [
        (True, [0.5, 0.25, 0.75, 0.25], 2),
        (False, [0.5, 0.25, 0.75, 0.75], 3),
        (True, [math.nan, 0.5, math.inf], 2),
        (False, [math.nan, -math.inf], None),
        (True, [], None),
    ],
)
def test_the_best_epoch_is_the_first_with_the_best_figure(tmp_path, lower_is_better, values, best):
    history = History(tmp_path / "eval", [], monitor="val_x", lower_is_better=lower_is_better)
    for value in values:
        history.append({"loss": 1.0, "val_x": value})
    history.write()
    assert json.loads((tmp_path / "history.json").read_text())["best_epoch"] == best


def test_without_validation_only_the_training_curve_is_written(tmp_path):
    history = History(tmp_path / "eval", ["dice_coef_multiclass"])
    history.append({"loss": 1.0, "dice_coef_multiclass": 0.25})
    assert (tmp_path / "eval" / "train_losses.csv").read_text().splitlines()[1] == "0, 1.0000"


def test_a_learning_rate_that_moves_has_a_picture(history):
    picture = history.eval_dir / "learning_rate.png"
    for rate, drawn in [(0.01, False), (0.01, False), (0.004, True)]:
        history.append({"loss": 0.4, "val_loss": 0.5, "lr": rate})
        history.draw()
        assert picture.is_file() is drawn
    assert cv2.imread(str(picture)).shape == (600, 800, 3)


def test_pictures_are_drawn_every_few_seconds_and_at_the_end(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("flexunet.training.follow.history.time.monotonic", lambda: now)
    picture = tmp_path / "eval" / "train_losses.png"
    with History(tmp_path / "eval", METRICS) as history:
        history.append(FIGURES[0])
        assert not picture.exists()
        now += 5
        history.append(FIGURES[1])
        drawn = picture.read_bytes()
        history.append(FIGURES[0])
        assert picture.read_bytes() == drawn
    ended = picture.read_bytes()
    assert ended != drawn
    with pytest.raises(ArithmeticError):
        fail(history)
    assert picture.read_bytes() != ended


def fail(history):
    """A run that ends in an error after an epoch."""
    with history:
        history.append(FIGURES[1])
        raise ArithmeticError
