"""The compiled update moves weights as Keras's own optimizers do."""

import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.models.initial import draw_initial_weights
from flexunet.models.precision import choose_jit
from flexunet.models.registry import build_model
from flexunet.training.objectives.named import get_loss
from flexunet.training.optimizer import compiled_update
from flexunet.training.optimizer.compiled_update import Adam, AdamW

DECAYING = (AdamW, keras.optimizers.AdamW, {"weight_decay": 0.05})
SMALL = {"image_width": 16, "image_height": 16, "num_layers": 2, "base_filters": 4, "dropout_rate": 0.0}


def trained(optimizer, policy: str) -> tuple[list[float], list[np.ndarray]]:
    """Losses of four steps, and the weights after them."""
    config = Config(model={**SMALL, "normalization": True})
    model = build_model(config, policy=policy)
    draw_initial_weights(model, 1)
    model.compile(optimizer=optimizer, loss=get_loss(config.model.loss), jit_compile=choose_jit("auto"))
    random = np.random.default_rng(3)
    images = random.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    masks = np.eye(2, dtype="float32")[(images[..., 0] > 128).astype(int)]
    losses = [float(np.ravel(model.train_on_batch(images, masks))[0]) for _ in range(4)]
    return losses, [keras.ops.convert_to_numpy(variable.value) for variable in model.trainable_variables]


@pytest.mark.parametrize(
    ("ours", "keras_own", "settings", "policy"),
    [
        (Adam, keras.optimizers.Adam, {}, "float32"),
        (Adam, keras.optimizers.Adam, {}, "mixed_float16"),
        pytest.param(*DECAYING, "float32", marks=pytest.mark.engines),
        (*DECAYING, "mixed_float16"),
    ],
)
def test_same_steps_as_keras(ours, keras_own, settings, policy, monkeypatch):
    monkeypatch.setattr(compiled_update, "WORTH_COMPILING", 0)
    settings = {"learning_rate": 0.01, "clipvalue": 0.02, **settings}
    losses, weights = trained(ours(**settings), policy)
    expected_losses, expected_weights = trained(keras_own(**settings), policy)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    differences = np.concatenate(
        [np.abs(one - other).ravel() for one, other in zip(weights, expected_weights, strict=True)]
    )
    # A gradient of nearly zero may round to either side, and Adam then steps either way.
    assert (differences < 1e-5).mean() > 0.99


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="compiled on TensorFlow")
@pytest.mark.parametrize(("least", "compiled"), [(60, True), (61, False)])
def test_compiled_from_so_many_weights_on(least, compiled, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(compiled_update, "WORTH_COMPILING", least)
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in ((4, 5), (40,))]
    optimizer = Adam(learning_rate=0.1)
    optimizer.build(variables)
    update = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    gradients = [tf.ones(variable.shape) for variable in variables]
    graph = update.get_concrete_function(gradients).graph.as_graph_def()
    assert any("_XlaMustCompile" in function.attr for function in graph.library.function) is compiled
    update(gradients)
    # The first step of Adam is as long as the rate, whatever the gradient.
    for variable in variables:
        np.testing.assert_allclose(variable.numpy(), -0.1, rtol=1e-5)


def test_saved_optimizer_comes_back():
    optimizer = Adam(learning_rate=0.01, clipvalue=0.3)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is Adam
    assert again.clipvalue == 0.3
