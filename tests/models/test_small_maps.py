"""Convolutions as matrix products: the same sums and gradients, and nothing else of the model changes."""

import keras
import numpy as np
import pytest
from keras import layers

from flexunet.config.schema import Config
from flexunet.models.registry import build_model
from flexunet.models.small_maps import multiply_small_maps


def convolution(size, channels, filters, kernel, **options):
    """A model of one convolution, at random weights."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((*size, channels))
    return keras.Model(inputs, layers.Conv2D(filters, kernel, padding="same", **options)(inputs))


@pytest.mark.engines
@pytest.mark.parametrize(
    ("size", "kernel", "dilation"),
    [
        ((2, 2), (3, 3), (1, 1)),
        ((4, 8), (3, 3), (1, 1)),
        ((8, 8), (5, 3), (1, 1)),
        ((4, 4), (2, 4), (1, 1)),  # an even kernel, which "same" cannot centre
        ((8, 4), (3, 3), (2, 2)),
        ((1, 1), (3, 3), (1, 1)),
    ],
)
def test_a_product_is_the_convolution(size, kernel, dilation):
    model = convolution(size, 128, 256, kernel, dilation_rate=dilation, activation="relu")
    images = np.random.default_rng(1).normal(size=(3, *size, 128)).astype("float32")
    before = model.predict_on_batch(images)
    assert multiply_small_maps(model) == 1
    model.predict_function = None
    np.testing.assert_allclose(model.predict_on_batch(images), before, rtol=1e-4, atol=1e-4)
    assert before.std() > 0.1


@pytest.mark.engines
def test_training_takes_the_same_steps():
    random = np.random.default_rng(1)
    images = random.normal(size=(4, 4, 4, 128)).astype("float32")
    truth = random.normal(size=(4, 4, 4, 128)).astype("float32")
    trained = []
    for product in (False, True):
        model = convolution((4, 4), 128, 128, (3, 3))
        if product:
            assert multiply_small_maps(model) == 1
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        first = keras.ops.convert_to_numpy(model.weights[0])
        losses = [float(model.train_on_batch(images, truth)) for _ in range(3)]
        trained.append((losses, keras.ops.convert_to_numpy(model.weights[0]) - first))
    np.testing.assert_allclose(trained[1][0], trained[0][0], rtol=1e-5)
    np.testing.assert_allclose(trained[1][1], trained[0][1], rtol=1e-3, atol=1e-6)
    assert np.abs(trained[0][1]).max() > 1e-4


@pytest.mark.parametrize(
    ("size", "channels", "options"),
    [
        ((16, 16), 128, {}),  # convolutions are fast there
        ((4, 4), 16, {}),
        ((4, 4), 128, {"strides": 2}),
        ((4, 4), 128, {"groups": 2}),
    ],
)
def test_other_convolutions_stay(size, channels, options):
    assert multiply_small_maps(convolution(size, channels, 128, (3, 3), **options)) == 0


def test_a_u_net_keeps_its_names_and_weights():
    sizes = {"image_width": 64, "image_height": 64, "image_channels": 1, "num_layers": 5, "base_filters": 16}
    config = Config(model={"base_kernels": (3, 3), "dropout_rate": 0.0, **sizes})
    model = build_model(config)
    keys = [weight.path for weight in model.weights]
    document = model.to_json()
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 1)).astype("float32")
    before = model.predict_on_batch(images)
    assert multiply_small_maps(model) == 5  # two at 4 x 4 of 256 filters, three at 8 x 8
    model.predict_function = None
    np.testing.assert_allclose(model.predict_on_batch(images), before, atol=1e-5)
    assert [weight.path for weight in model.weights] == keys
    assert model.to_json() == document
