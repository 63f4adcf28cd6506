"""Losses for small lesions by hand, and sums of losses read from text."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.errors import ConfigError
from flexunet.training.objectives.expression import MOST_CHARACTERS, Term, parse_losses
from flexunet.training.objectives.named import LossSum, get_loss
from flexunet.training.objectives.rows import LOSSES

LESION_LOSSES = {name: row.function for name, row in LOSSES.items() if not row.published}

# Two pixels, background and lesion, predicted with 0.75 and 0.5.
TRUTH = np.array([[[[1, 0], [0, 1]]]], "float32")
PREDICTED = np.array([[[[0.75, 0.25], [0.5, 0.5]]]], "float32")
# Hits 0.5, false alarms 0.25, missed 0.5, and the smoothing of 1.
TVERSKY = 1 - 1.5 / (0.5 + 0.3 * 0.25 + 0.7 * 0.5 + 1)


def value(fn, y_true, y_pred, **settings):
    return float(keras.ops.convert_to_numpy(keras.ops.mean(fn(y_true, y_pred, **settings))))


def one_hot(row):
    """One image of one row, two classes."""
    return np.eye(2, dtype="float32")[np.array([[row]])]


@pytest.mark.engines
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice", 1 - (2 * 0.5 + 1) / (1 + 0.25**2 + 0.5**2 + 1)),
        ("batch_dice", 1 - (2 * 0.5 + 1) / (1 + 0.25**2 + 0.5**2 + 1)),
        # Overlap 0.5, areas 1 and 0.75, and the smoothing of 1: one minus 2 / 2.75 is 3 / 11.
        ("log_cosh_dice", math.log(math.cosh(3 / 11))),
        ("tversky", TVERSKY),
        ("focal_tversky", TVERSKY**0.75),
        ("focal", -(0.25**2 * math.log(0.75) + 0.5**2 * math.log(0.5)) / 2),
        # Both classes have one pixel and so weight 1.
        ("generalised_dice", 1 - 2 * (0.75 + 0.5) / (1 + 1.25 + 1 + 0.75)),
        # The background pixel is one move away, the lesion's is its outline.
        ("boundary", 0.25 * 1 / 2),
    ],
)
def test_by_hand(name, expected):
    assert value(LESION_LOSSES[name], TRUTH, PREDICTED) == pytest.approx(expected, rel=1e-5)
    # One sigmoid channel of the same lesion says the same.
    assert value(LESION_LOSSES[name], TRUTH[..., 1:], PREDICTED[..., 1:]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.engines
def test_dice_over_the_batch_sums_over_its_images():
    # The second image has no lesion, and one false alarm of one half.
    truth = np.concatenate([TRUTH, one_hot([0, 0])])
    predicted = np.concatenate([PREDICTED, np.array([[[[0.5, 0.5], [1, 0]]]], "float32")])
    expected = 1 - (2 * 0.5 + 1) / (1 + 0.25**2 + 0.5**2 + 0.5**2 + 1)
    values = keras.ops.convert_to_numpy(LESION_LOSSES["batch_dice"](truth, predicted))
    np.testing.assert_allclose(values, [expected, expected], rtol=1e-5)
    # Image by image, the second would lose 1 - 1 / 1.25 by itself.
    assert value(LESION_LOSSES["dice"], truth, predicted) != pytest.approx(expected, rel=1e-2)


@pytest.mark.engines
def test_generalised_dice_weighs_a_class_by_its_area_squared():
    truth = one_hot([0, 0, 0, 1])
    predicted = np.full_like(truth, 0.5)
    overlap = 1.5 / 9 + 0.5
    total = (3 + 2) / 9 + (1 + 2)
    assert value(LESION_LOSSES["generalised_dice"], truth, predicted) == pytest.approx(
        1 - 2 * overlap / total
    )


@pytest.mark.engines
@pytest.mark.parametrize(("reach", "signed"), [(16, [2, 1, 0, -1, 0, 1, 2]), (1, [1, 1, 0, 0, 0, 1, 1])])
def test_boundary_weighs_each_pixel_by_its_signed_distance(reach, signed):
    truth = one_hot([0, 0, 1, 1, 1, 0, 0])
    for place, distance in enumerate(signed):
        predicted = np.zeros_like(truth)
        predicted[0, 0, place, 1] = 1
        found = value(LESION_LOSSES["boundary"], truth, predicted, reach=reach)
        assert found == pytest.approx(distance / 7, abs=1e-7)
    assert value(LESION_LOSSES["boundary"], one_hot([0, 0]), one_hot([1, 1])) == 0


@pytest.mark.engines
@pytest.mark.parametrize("name", sorted(set(LESION_LOSSES) - {"boundary"}))
def test_a_perfect_prediction_costs_nothing(name):
    for row in ([0, 1, 1, 0], [0, 0, 0, 0]):
        truth = one_hot(row)
        assert value(LESION_LOSSES[name], truth, truth) == pytest.approx(0, abs=1e-5)


@pytest.mark.engines
def test_parameters():
    loss = LESION_LOSSES["tversky"]
    # alpha = beta = 0.5 is Dice, unsquared, with the smoothing doubled.
    assert value(loss, TRUTH, PREDICTED, alpha=0.5, beta=0.5) == pytest.approx(1 - (2 * 0.5 + 2) / (1.75 + 2))
    # Without smoothing 1 / 1.75; the loss is log((e^d + e^-d) / 2) of d = 3 / 7.
    assert value(LESION_LOSSES["log_cosh_dice"], TRUTH, PREDICTED, smooth=0.0) == pytest.approx(
        math.log((math.exp(3 / 7) + math.exp(-3 / 7)) / 2), rel=1e-5
    )
    # gamma 0 leaves plain cross-entropy.
    entropy = -(math.log(0.75) + math.log(0.5)) / 2
    assert value(LESION_LOSSES["focal"], TRUTH, PREDICTED, gamma=0.0) == pytest.approx(entropy, rel=1e-5)


@pytest.mark.engines
def test_a_sum_is_its_weighted_terms():
    found = value(
        get_loss("0.25*tversky(alpha=0.3, beta=0.7) + 2*categorical_crossentropy"), TRUTH, PREDICTED
    )
    entropy = -(math.log(0.75) + math.log(0.5)) / 2
    assert found == pytest.approx(0.25 * TVERSKY + 2 * entropy, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("dice", [Term("dice")]),
        (" 0.5*dice+ .5 *dice_loss ", [Term("dice", 0.5), Term("dice_loss", 0.5)]),
        ("1e-2*focal(gamma=3)", [Term("focal", 0.01, {"gamma": 3.0})]),
        ("tversky(beta=.8,alpha=0.2)", [Term("tversky", 1.0, {"beta": 0.8, "alpha": 0.2})]),
    ],
)
def test_read(text, terms):
    assert parse_losses(text) == terms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5*dise", "'dise' is not a loss. Did you mean 'dice'"),
        ("dice + ", "position 8: expected the name of a loss or parameter, found the end"),
        ("dice - focal", "position 6: expected a number, a name"),
        ("0.5 dice", r"position 5: expected '\*', found 'dice'"),
        ("dice focal", r"position 6: expected '\+', found 'focal'"),
        ("tversky(gamma=2)", "position 9: tversky has no gamma; it takes alpha, beta, smooth"),
        ("dice_loss(smooth=2)", "dice_loss has no smooth; it takes no parameters"),
        ("focal(gamma=2, gamma=3)", "position 16: .*a second time"),
        ("focal_tversky(gamma=0)", "gamma of focal_tversky must be above 0"),
        ("focal(gamma=__import__)", "position 13: expected a number"),
        ("", "position 1"),
        ("dice(", r"expected '\)', found the end"),
        ("2*dice*focal", "position 1: expected a number, found '2'"),
        ("0x5*dice", "position 1: expected a number, found '0x5'"),
        ("1e999*dice", "position 1: expected a finite number"),
        ("dice if focal else dice", "expected the name of a loss"),
        ("dice(**focal)", "expected the name of a loss or parameter"),
        ("dice(0.5)", "position 6: expected the name of a loss or parameter, found '0.5'"),
        ("tversky(alpha=1 beta=2)", "position 17: expected ',', found 'beta'"),
        ("dice\n+ foc\u00e1l", "position 11: expected a number, a name"),
        ("dice+" * 100 + "dice", f"has 504 characters, and at most {MOST_CHARACTERS}"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(text, message):
    with pytest.raises(ConfigError, match=message):
        get_loss(text)


@given(st.text("0123456789.eE+-*(),=_ \n[]{}'#:abdfgilmnorstuvy", max_size=60) | st.text(max_size=20))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        terms = parse_losses(text)
    except ConfigError:
        return
    assert all(term.name in LOSSES and math.isfinite(term.weight) for term in terms)


@given(st.lists(st.builds(Term, st.sampled_from(sorted(LOSSES)), st.floats(0, 1e30)), min_size=1, max_size=8))
@settings(deadline=None)
def test_what_is_written_is_read(terms):
    assert parse_losses(" + ".join(f"{term.weight!r}*{term.name}" for term in terms)) == terms


def test_a_term_that_one_channel_cannot_learn_is_refused():
    with pytest.raises(ConfigError, match="needs two classes"):
        get_loss("dice + categorical_crossentropy", 1)


@pytest.mark.parametrize("name", [*LESION_LOSSES, "0.5*dice + 0.5*categorical_crossentropy + 0.01*boundary"])
@pytest.mark.parametrize("classes", [2, pytest.param(3, marks=pytest.mark.engines)])
def test_it_learns_and_is_saved_with_its_model(tmp_path, name, classes):
    rng = np.random.default_rng(3)
    truth = np.zeros((4, 8, 8), int)
    truth[:, 2:4, 3:6] = 1
    images = (truth[..., None] + 0.1 * rng.standard_normal((4, 8, 8, 1))).astype("float32")
    y_true = np.eye(classes, dtype="float32")[truth]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(classes, 1, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=get_loss(name, classes), jit_compile=False)
    losses = model.fit(images, y_true, epochs=12, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, LossSum)
    assert again.loss.expression == name
