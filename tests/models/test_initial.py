"""Initial weights: the same on every engine, and distributed as Keras's own initializers."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from flexunet.config.schema import Config
from flexunet.models.initial import draw_initial_weights
from flexunet.models.zoo.flexunet import build


def weights_of(model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable.value) for variable in model.trainable_variables]


def small() -> keras.Model:
    model = {"image_width": 16, "image_height": 16, "num_layers": 2, "base_filters": 4, "normalization": True}
    return build(Config(model=model))


@pytest.mark.engines
def test_every_engine_starts_from_the_same_numbers():
    """Recorded once in NumPy; the same sums must come out whatever draws Keras itself makes."""
    model = small()
    draw_initial_weights(model, 137)
    kernel = weights_of(model)[0]
    assert kernel.shape == (3, 3, 3, 4)
    expected = np.random.Generator(np.random.SFC64(np.random.SeedSequence([137, 0])))
    draws = expected.standard_normal(108, dtype=np.float32)
    inside = np.abs(draws) <= 2
    scale = np.sqrt(2 / 27) / 0.87962566103423978
    np.testing.assert_allclose(kernel.ravel()[inside], draws[inside] * scale, rtol=1e-6)


@pytest.mark.engines
def test_a_seed_repeats_and_another_differs():
    models = [small() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        draw_initial_weights(model, seed)
    for first, again, other in zip(*map(weights_of, models), strict=True):
        np.testing.assert_array_equal(first, again)
        if first.ndim > 1:
            assert not np.array_equal(first, other)


def test_biases_and_normalisation_stay_as_they_are():
    model = small()
    draw_initial_weights(model, 3)
    np.testing.assert_array_equal(weights_of(model)[1], 0)
    norm = model.get_layer("batch_normalization")
    assert [float(np.mean(np.array(value))) for value in norm.get_weights()] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    "initializer",
    [
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "random_uniform",
        "random_normal",
        "truncated_normal",
        keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal"),
    ],
)
def test_distribution_is_that_of_keras(initializer):
    image = keras.Input((8, 8, 32))
    layer = layers.Conv2D(64, 3, kernel_initializer=initializer)
    model = keras.Model(image, layer(image))
    by_keras = np.array(layer.kernel)
    draw_initial_weights(model, 7)
    drawn = np.array(layer.kernel)
    assert not np.array_equal(by_keras, drawn)
    assert drawn.std() == pytest.approx(by_keras.std(), rel=0.03)
    assert drawn.mean() == pytest.approx(0, abs=float(0.05 * by_keras.std()))
    assert np.abs(drawn).max() == pytest.approx(np.abs(by_keras).max(), rel=0.25)


def test_large_layers_are_drawn_fast():
    """Twelve million weights; the published model has ten times as many and must not take seconds."""
    image = keras.Input((4, 4, 1152))
    layer = layers.Conv2D(1152, 3)
    model = keras.Model(image, layer(image))
    start = time.process_time()
    draw_initial_weights(model, 1)
    assert time.process_time() - start < 2
