"""A run too short for the running averages of batch normalisation is told so."""

import keras
import pytest

from flexunet.training.lagging import lagging_statistics


def network(*layers):
    image = keras.Input((8, 8, 1))
    features = image
    for layer in layers:
        features = layer(features)
    return keras.Model(image, features)


@pytest.mark.parametrize(
    ("steps", "epochs", "told"), [(5, 23, True), (5, 199, True), (5, 200, False), (250, 4, False)]
)
def test_momentum_099_needs_500_steps_to_settle(steps, epochs, told):
    """0.99 ** 500 is 0.7 %; a run of twice as many steps has validated half of its epochs well."""
    notes = lagging_statistics(network(keras.layers.BatchNormalization(momentum=0.99)), steps, epochs)
    assert bool(notes) is told
    if told:
        assert f"makes {steps * epochs} ({steps} per epoch)" in notes[0]
        assert "500 steps" in notes[0]
        assert "normalization_layer" in notes[0]


def test_without_running_averages_there_is_nothing_to_say():
    frozen = keras.layers.BatchNormalization()
    frozen.trainable = False
    assert not lagging_statistics(network(keras.layers.GroupNormalization(1), frozen), 1, 1)
