"""Losses and metrics of one's own beside those of FlexUNet."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from flexunet.errors import ConfigError
from flexunet.training.objectives import rows
from flexunet.training.objectives.named import get_loss, get_metric, register_loss, register_metric

TRUTH = np.array([[[[1, 0], [0, 1]]]], "float32")
PREDICTED = np.array([[[[0.75, 0.25], [0.5, 0.5]]]], "float32")


@pytest.fixture(autouse=True)
def unregistered():
    before = dict(rows.LOSSES), dict(rows.METRICS)
    yield
    for table, rows_before in zip((rows.LOSSES, rows.METRICS), before, strict=True):
        table.clear()
        table.update(rows_before)


def value(loss):
    return float(keras.ops.convert_to_numpy(keras.ops.mean(loss(TRUTH, PREDICTED))))


def metric_of(name):
    metric = get_metric(name)
    metric.update_state(TRUTH, PREDICTED)
    return float(keras.ops.convert_to_numpy(metric.result()))


def by_pixel(y_true, y_pred, scale=1.0):
    """Absolute error of the lesion, `(N, H, W)`: 0.25 and 0.5."""
    return scale * keras.ops.abs(y_true - y_pred)[..., 1]


@pytest.mark.engines
def test_a_loss_of_ones_own_stands_alone_and_in_sums():
    register_loss("by_pixel", by_pixel)
    assert value(get_loss("by_pixel")) == pytest.approx(0.375)
    # Dice by hand: see test_lesion_losses.
    dice = 1 - (2 * 0.5 + 1) / (1 + 0.25**2 + 0.5**2 + 1)
    assert value(get_loss("2*by_pixel(scale=3) + dice")) == pytest.approx(2 * 3 * 0.375 + dice, rel=1e-5)
    with pytest.raises(ConfigError, match="by_pixel has no size; it takes scale"):
        get_loss("by_pixel(size=3)")
    assert metric_of("by_pixel") == pytest.approx(0.375)


@pytest.mark.engines
def test_a_loss_of_keras_can_be_registered():
    register_loss("absolute", keras.losses.MeanAbsoluteError())
    assert value(get_loss("absolute")) == pytest.approx(0.375)


@pytest.mark.engines
def test_a_metric_of_ones_own():
    register_metric("by_pixel", by_pixel)
    assert metric_of("by_pixel") == pytest.approx(0.375)
    # It may be changed; the last one counts.
    register_metric("by_pixel", lambda y_true, y_pred: by_pixel(y_true, y_pred, 2))
    assert metric_of("by_pixel") == pytest.approx(0.75)


@pytest.mark.parametrize("register", [register_loss, register_metric])
@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("dice", by_pixel, "'dice' would hide one of FlexUNet; choose another, as 'my_dice'"),
        ("iou_coef", by_pixel, "would hide"),
        ("loss", by_pixel, "would hide"),
        ("val_mine", by_pixel, "would hide"),
        ("my loss", by_pixel, "'my loss' cannot be the name of a .*letters, digits"),
        ("2mine", by_pixel, "cannot be the name"),
        (None, by_pixel, "cannot be the name"),
        ("mine", "by_pixel", "must be a function of truth and prediction, found 'by_pixel'"),
        ("mine", lambda y_pred: y_pred, "must be a function of truth and prediction"),
        ("mine", lambda y_true, y_pred, scale: 0, "missing a required argument: 'scale'"),
    ],
)
def test_what_cannot_be_registered(register, name, function, message):
    before = dict(rows.LOSSES), dict(rows.METRICS)
    with pytest.raises(ConfigError, match=message):
        register(name, function)
    assert before == (rows.LOSSES, rows.METRICS)


def test_the_pages_name_each_of_them_in_a_table():
    docs = Path(__file__).parents[3] / "docs"
    cells = set()
    for page in ("losses-and-metrics.md", "training.md"):
        for row in re.findall(r"^\| (`.*?) \|", (docs / page).read_text(encoding="utf-8"), re.MULTILINE):
            cells |= set(re.findall(r"`(\w+)`", row))
    assert set(rows.LOSSES) | set(rows.METRICS) <= cells
