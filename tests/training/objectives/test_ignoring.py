"""Ignored pixels count in no loss and metric: as if the image ended before them, and without a slope."""

import keras
import numpy as np
import pytest

from flexunet.config.checks import OF_NEIGHBOURS
from flexunet.config.files import load_config
from flexunet.data.images.color_map import IGNORED
from flexunet.errors import ConfigError
from flexunet.training.batches.cells import cells_of
from flexunet.training.batches.dataset import encode_targets
from flexunet.training.deep_supervision import averaged_to
from flexunet.training.objectives.named import LossSum, get_loss, get_metric
from flexunet.training.objectives.rows import BUILT_IN, LOSSES, METRICS

ABLE = sorted(name for name in BUILT_IN & LOSSES.keys() if LOSSES[name].ignored)
FIGURES = sorted(name for name in BUILT_IN & METRICS.keys() if METRICS[name].ignored)
KEPT = 5  # rows that count; the two below are ignored


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def drawn(classes, seed=3):
    """Masks with lesions and, in their lower rows, ignored pixels; probabilities of as many channels."""
    random = np.random.default_rng(seed)
    masks = np.zeros((2, KEPT + 2, 6), np.uint8)
    masks[0, 1:3, 1:4] = masks[1, 0, 5] = 1
    masks[1, 3:5, 0:2] = max(1, classes - 1)
    masks[:, KEPT:] = IGNORED
    scores = random.normal(size=(*masks.shape, classes)).astype("float32")
    guess = (
        1 / (1 + np.exp(-scores)) if classes == 1 else np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    )
    return masks, guess.astype("float32")


def targets(masks, classes, cells=True):
    truth = encode_targets(masks, classes)
    return np.concatenate([truth, cells_of(masks, classes)], axis=-1) if cells else truth


def test_every_loss_and_metric_leaves_them_out_or_is_refused():
    assert set(OF_NEIGHBOURS) == {name for name in BUILT_IN & LOSSES.keys() if not LOSSES[name].ignored}
    assert set(FIGURES) == BUILT_IN & METRICS.keys()
    assert len(ABLE) > 15


@pytest.mark.engines
@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("name", ABLE)
def test_a_loss_is_that_of_the_image_without_them(name, classes):
    if classes == 1 and LOSSES[name].needs_classes:
        pytest.skip("a single channel cannot learn from it")
    masks, guess = drawn(classes)
    cells = LOSSES[name].needs_cells
    loss = get_loss(name, classes, ignoring=True)
    found = numbers(loss(targets(masks, classes, cells), guess))
    plain = get_loss(name, classes)(targets(masks[:, :KEPT], classes, cells), guess[:, :KEPT])
    assert found == pytest.approx(np.mean(numbers(plain)), rel=1e-5)
    elsewhere = guess.copy()
    elsewhere[:, KEPT:] = 0.0
    elsewhere[:, KEPT:, :, -1] = 1.0
    assert numbers(loss(targets(masks, classes, cells), elsewhere)) == pytest.approx(float(found), rel=1e-6)


@pytest.mark.engines
@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("name", FIGURES)
def test_a_metric_is_that_of_the_image_without_them(name, classes):
    masks, guess = drawn(classes)
    figure, plain = get_metric(name, ignoring=True), get_metric(name)
    figure.update_state(targets(masks, classes), guess)
    plain.update_state(targets(masks[:, :KEPT], classes), guess[:, :KEPT])
    assert float(figure.result()) == pytest.approx(float(plain.result()), rel=1e-5)
    again = type(figure).from_config(figure.get_config())
    again.update_state(targets(masks, classes), guess)
    assert float(again.result()) == pytest.approx(float(figure.result()))


@pytest.mark.parametrize("name", ["dice + categorical_crossentropy", "component_crossentropy", "focal"])
def test_they_have_no_slope_not_even_through_kept_logits(name):
    """Keras keeps the logits beside a softmax, and TensorFlow's slope of them is wrong for rows of zeros."""
    masks, _ = drawn(3)
    inputs = keras.Input((*masks.shape[1:], 3))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Identity()(inputs)))
    loss = LossSum(name, 3, ignoring=True)
    cells = LOSSES[name].needs_cells if name in LOSSES else False
    given = np.random.default_rng(1).normal(size=(*masks.shape, 3)).astype("float32") * 40
    if keras.config.backend() != "tensorflow":
        pytest.skip("slopes are taken with TensorFlow here")
    import tensorflow as tf

    watched = tf.Variable(given)
    with tf.GradientTape() as tape:
        value = loss(targets(masks, 3, cells), model(watched))
    slopes = tape.gradient(value, watched).numpy()
    assert not slopes[:, KEPT:].any()
    assert slopes[:, :KEPT].any()
    assert np.isfinite(slopes).all()


def test_averages_of_deep_supervision_leave_them_out():
    mask = np.array([[[1, IGNORED, 0, 0], [0, 1, IGNORED, 0], [IGNORED] * 4, [IGNORED, IGNORED, IGNORED, 1]]])
    truth = encode_targets(mask.astype(np.uint8), 2)
    answer = np.zeros((1, 2, 2, 2), np.float32)
    small = numbers(averaged_to(truth, answer, ignoring=True))
    # Of three pixels two are lesion; of three none; no pixel counts; one in four is too few.
    assert small[0, ..., 1] == pytest.approx(np.array([[2 / 3, 0], [-1, -1]]))
    assert small[0, ..., 0] == pytest.approx(np.array([[1 / 3, 1], [-1, -1]]))


def test_what_depends_on_neighbours_is_refused_by_name(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[model]\nloss = '0.5*dice + boundary'\n[mask]\nignore = 128\n")
    with pytest.raises(ConfigError, match="boundary cannot leave out the pixels of \\[mask\\] ignore"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"'ssim_loss' cannot leave out .* Choose of .*dice"):
        get_loss("dice + ssim_loss", 2, ignoring=True)
    with pytest.raises(ConfigError, match="'component_crossentropy' cannot leave out"):
        get_metric("component_crossentropy", ignoring=True)
