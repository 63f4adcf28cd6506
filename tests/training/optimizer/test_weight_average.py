"""The average of the weights: by hand, through the compiled update, and lent to the model to the bit."""

import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.training.checkpoint.state import prepare
from flexunet.training.compiling import compile_model
from flexunet.training.optimizer.build import build_optimizer
from flexunet.training.optimizer.compiled_update import Adam, AdamW
from flexunet.training.optimizer.weight_average import averaged_weights

SMALL = {"image_width": 16, "image_height": 16, "num_layers": 2, "base_filters": 4, "dropout_rate": 0.0}


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


@pytest.mark.engines
def test_by_hand():
    """Adam moves a weight by its rate against a constant gradient: 1, 0.9, 0.8, 0.7, 0.6.

    Momenta: 0 at first, then (1 + t) / (10 + t) = 2/11 and 3/12, then 0.2 is less than 4/13.
    """
    optimizer = Adam(learning_rate=0.1, average_momentum=0.2)
    weight = keras.Variable(np.float32([1.0]), name="weight")
    optimizer.build([weight])
    expected = [0.9]
    for momentum, weights in [(2 / 11, 0.8), (0.2, 0.7), (0.2, 0.6)]:
        expected.append(momentum * expected[-1] + (1 - momentum) * weights)
    for wanted in expected:
        optimizer.apply([keras.ops.convert_to_tensor(np.float32([0.5]))])
        assert float(values(optimizer.averages)[0][0]) == pytest.approx(wanted, rel=1e-5)


@pytest.fixture
def trained():
    """A function from a policy to a model trained for five steps, and its weights after each."""

    def train(policy="float32"):
        config = Config(model=SMALL, train={"ema_momentum": 0.5})
        model = build_model(config, policy=policy)
        draw_initial_weights(model, 1)
        compile_model(config, model)
        prepare(model)
        random = np.random.default_rng(3)
        images = random.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
        masks = np.eye(2, dtype="float32")[(images[..., 0] > 128).astype(int)]
        after = []
        for _ in range(5):
            model.train_on_batch(images, masks)
            after.append(values(model.trainable_variables))
        return model, after, images

    return train


@pytest.mark.parametrize("policy", [pytest.param("float32", marks=pytest.mark.engines), "mixed_float16"])
def test_the_compiled_step_keeps_the_average(trained, policy):
    model, after, _ = trained(policy)
    expected = after[0]
    momenta = [2 / 11, 3 / 12, 4 / 13, 5 / 14]
    for momentum, weights in zip(momenta, after[1:], strict=True):
        pairs = zip(expected, weights, strict=True)
        expected = [momentum * average + (1 - momentum) * weight for average, weight in pairs]
    with averaged_weights(model):
        for found, wanted in zip(values(model.trainable_variables), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.engines
def test_lent_to_the_model_and_back_to_the_bit(trained):
    model, after, images = trained()
    averages = values(model.optimizer.averages)
    plain = model.predict(images, verbose=0)

    def break_off():
        with averaged_weights(model):
            for found, average in zip(values(model.trainable_variables), averages, strict=True):
                np.testing.assert_array_equal(found, average)
            assert np.abs(model.predict(images, verbose=0) - plain).max() > 1e-6
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    for found, weights in zip(values(model.trainable_variables), after[-1], strict=True):
        np.testing.assert_array_equal(found, weights)
    for found, average in zip(values(model.optimizer.averages), averages, strict=True):
        np.testing.assert_array_equal(found, average)
    np.testing.assert_array_equal(model.predict(images, verbose=0), plain)


def test_without_it_nothing_is_kept_and_nothing_changes():
    optimizer = build_optimizer(Config())
    weight = keras.Variable(np.float32([1.0]), name="weight")
    optimizer.build([weight])
    assert len(optimizer.variables) == 4  # updates, learning rate, two moments


def test_a_saved_optimizer_comes_back():
    optimizer = AdamW(learning_rate=0.01, weight_decay=0.1, average_momentum=0.9)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is AdamW
    assert again.average_momentum == 0.9
