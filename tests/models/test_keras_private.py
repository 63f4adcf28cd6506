"""The private parts of Keras that are used: they are there, and only one module names them."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import flexunet
from flexunet.models import keras_private

SOURCE = Path(flexunet.__file__).parent
ATTRIBUTES = (
    "_trainable_variables", "_non_trainable_variables", "_layers", "_seed_generators", "_inbound_nodes",
    "_keras_logits", "_variables", "_iterations",
)  # fmt: skip


def test_no_other_module_names_them():
    private = re.compile(r"keras\.src|[.\"](?:{})\b".format("|".join(ATTRIBUTES)))
    naming = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if private.search(path.read_text(encoding="utf-8"))
    ]
    assert naming == ["models/keras_private.py"]


@pytest.fixture
def model():
    image = keras.Input((4, 4, 1))
    hidden = keras.layers.Dropout(0.5, name="dropped")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 1, activation="softmax", name="conv")(hidden))


@pytest.mark.engines
def test_parts_of_a_model(model):
    conv, dropped = model.get_layer("conv"), model.get_layer("dropped")
    assert type(model) is keras_private.functional_class()
    assert keras_private.own_variables(conv) == [conv.kernel, conv.bias]
    assert keras_private.own_variables(model) == []
    assert set(keras_private.inner_layers(model)) == set(model.layers)
    assert keras_private.parents_of(conv) == [dropped]
    assert len(keras_private.seed_generators(dropped)) == 1


@pytest.mark.engines
def test_parts_of_an_optimizer(model):
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    assert keras_private.optimized_variables(optimizer) == model.trainable_variables
    assert keras_private.own_optimizer_variables(optimizer) == optimizer.variables
    assert int(keras.ops.convert_to_numpy(keras_private.steps_counter(optimizer).value)) == 0


@pytest.mark.engines
def test_draws():
    assert callable(keras_private.engine_random().normal)
    seed = keras.ops.convert_to_numpy(keras_private.draw_seed(7))
    assert np.array_equal(seed, keras.ops.convert_to_numpy(keras_private.draw_seed(7)))
    assert seed.shape == (2,)


@pytest.mark.engines
def test_logits_are_kept_outside_of_tracing():
    scores = np.array([[0.0, 2.0]], "float32")
    kept = keras_private.kept_logits(keras.activations.softmax(keras.ops.convert_to_tensor(scores)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kept), scores)
    assert keras_private.kept_logits(scores) is None
