"""A run too short for the running averages of batch normalisation is told so."""

import keras
import numpy as np
import pytest

from flexunet.config.run_sections import TrainSection
from flexunet.training.running_averages import ReEstimation, batches_for_statistics


def network(*layers):
    image = keras.Input((8, 8, 1))
    features = image
    for layer in layers:
        features = layer(features)
    return keras.Model(image, features)


def normalised(momentum=0.99):
    return network(keras.layers.BatchNormalization(momentum=momentum))


def chosen(model, steps, epochs, wanted=None, weights_are_averaged=False):
    average = 0.9 if weights_are_averaged else 0.0
    settings = TrainSection(epochs=epochs, statistics_batches=wanted, ema_momentum=average)
    return batches_for_statistics(model, steps, settings)


@pytest.mark.parametrize(
    ("steps", "epochs", "told"), [(5, 23, True), (5, 199, True), (5, 200, False), (250, 4, False)]
)
def test_momentum_099_needs_500_steps_to_settle(steps, epochs, told):
    """0.99 ** 500 is 0.7 %; a run of twice as many steps has validated half of its epochs well."""
    count, notes = chosen(normalised(), steps, epochs)
    assert (count > 0, bool(notes)) == (told, told)
    kept, warned = chosen(normalised(), steps, epochs, wanted=0)
    assert (kept, bool(warned)) == (0, told)
    if told:
        assert f"makes {steps * epochs} ({steps} per epoch)" in notes[0]
        assert "500 steps" in notes[0]
        assert f"re-estimated over {count} training batches" in notes[0]
        assert "normalization_layer" in warned[0]
    assert chosen(normalised(), steps, epochs, wanted=3) == (3, [])


def test_averaged_weights_have_no_running_averages_of_their_own():
    count, notes = chosen(normalised(), 250, 40, weights_are_averaged=True)
    assert count > 0
    assert "their average is validated" in notes[0]
    assert chosen(normalised(), 250, 40) == (0, [])


@pytest.mark.engines
def test_re_estimated_averages_are_the_plain_means_of_the_batches():
    """Two batches of constant images, 2 and 6: their means average to 4, whatever stood there before."""
    layer = keras.layers.BatchNormalization(momentum=0.99)
    model = network(layer, keras.layers.Dropout(0.5))
    layer.moving_mean.assign([100.0])
    weights = [np.copy(keras.ops.convert_to_numpy(each)) for each in model.trainable_variables]
    ramp = np.tile([-1.0, 1.0], (2, 8, 4))[..., None].astype("float32")  # mean 0, variance 1
    batches = [(2 + ramp, None), (6 + 3 * ramp, None), (1000 + ramp, None)]
    ReEstimation(model, batches, 2)()
    assert float(layer.moving_mean[0]) == pytest.approx(4)
    assert float(layer.moving_variance[0]) == pytest.approx((1 + 9) / 2, rel=0.01)  # n or n - 1
    assert layer.momentum == 0.99
    for before, after in zip(weights, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, keras.ops.convert_to_numpy(after))


def test_without_running_averages_there_is_nothing_to_say():
    frozen = keras.layers.BatchNormalization()
    frozen.trainable = False
    assert chosen(network(keras.layers.GroupNormalization(1), frozen), 1, 1) == (0, [])
