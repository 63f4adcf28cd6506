"""Initial weights drawn while a model is built."""

import keras
import numpy as np
import pytest

from flexunet.models.quick_draws import no_draws, quick_draws

SHAPE = (3, 3, 40, 50)


@pytest.mark.engines
def test_draws_have_the_distribution_of_their_initializers():
    with quick_draws():
        he = np.array(keras.initializers.HeNormal(seed=1)(SHAPE))
        again = np.array(keras.initializers.HeNormal(seed=1)(SHAPE))
        other = np.array(keras.initializers.HeNormal(seed=2)(SHAPE))
        glorot = np.array(keras.initializers.GlorotUniform(seed=1)(SHAPE))
        normal = np.array(keras.initializers.RandomNormal(2.0, 0.5, seed=1)(SHAPE))
    np.testing.assert_array_equal(he, again)
    assert np.any(he != other)
    deviation = np.sqrt(2 / (3 * 3 * 40))
    assert he.std() == pytest.approx(deviation, rel=0.03)
    # Cut off at two deviations of the normal before it was cut, whose deviation is then 0.88 of what it was.
    assert deviation * 2.1 < np.abs(he).max() <= deviation * 2 / 0.8796
    limit = np.sqrt(6 / (9 * 90))
    assert 0.99 * limit < np.abs(glorot).max() <= limit
    assert (normal.mean(), normal.std()) == pytest.approx((2.0, 0.5), rel=0.03)


@pytest.mark.engines
def test_outside_keras_draws_as_it_does():
    before = np.array(keras.initializers.HeNormal(seed=1)(SHAPE))
    with quick_draws():
        pass
    np.testing.assert_array_equal(np.array(keras.initializers.HeNormal(seed=1)(SHAPE)), before)


@pytest.mark.engines
def test_what_is_filled_from_a_file_is_not_drawn():
    with no_draws():
        layer = keras.layers.Conv2D(4, 3, kernel_initializer="he_normal")
        layer.build((None, 8, 8, 2))
        glorot = np.array(keras.initializers.GlorotUniform(seed=1)(SHAPE))
        normal = np.array(keras.initializers.RandomNormal(2.0, 0.5, seed=1)(SHAPE))
    assert layer.kernel.shape == (3, 3, 2, 4)
    assert not np.any(np.array(layer.kernel))
    assert not np.any(glorot)
    assert not np.any(normal)
    assert np.any(np.array(keras.initializers.HeNormal(seed=1)(SHAPE)))
