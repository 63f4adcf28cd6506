"""Optimizers, and the five recorded training steps of the published system."""

import json

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.models.precision import choose_jit
from flexunet.models.registry import build_model
from flexunet.training.objectives.named import get_loss, get_metric
from flexunet.training.optimizer.build import build_optimizer


def compiled(config: Config, **options) -> keras.Model:
    model = build_model(config, **options)
    model.compile(
        optimizer=build_optimizer(config),
        loss=get_loss(config.model.loss, config.model.num_classes),
        metrics=[get_metric(name) for name in config.model.metrics],
        jit_compile=choose_jit("auto"),
    )
    return model


def weights_in_published_order(model) -> list:
    """Layer by layer, moving statistics in their place, seeds of dropout left out."""
    return [variable for layer in model.layers for variable in layer.weights if "seed" not in variable.path]


@pytest.mark.parametrize("steps", ["steps_relu", pytest.param("steps_bn_mish_c3", marks=pytest.mark.engines)])
def test_five_recorded_training_steps(reference, steps):
    """Losses 1e-4 relative; weights after five steps of Adam within 1e-4 for more than 99.9 per cent."""
    config = load_config(reference / f"model/{steps}.config")
    record = json.loads((reference / "model/steps_summary.json").read_text())[steps]
    model = compiled(config)
    variables = weights_in_published_order(model)
    with np.load(reference / f"model/{steps}.npz") as arrays:
        count = len(record["weight_names"])
        assert len(variables) == count
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"w0_{index:03d}"])
        for step, (loss, dice) in enumerate(record["per_step_[loss,dice]"]):
            # The metric of this batch alone: Keras's own state runs on from batch to batch.
            model.reset_metrics()
            images = arrays["x"][step].astype("float32")
            found = model.train_on_batch(images, arrays["y"][step], return_dict=True)
            assert float(found["loss"]) == pytest.approx(loss, rel=1e-4)
            assert float(found["dice_coef_multiclass"]) == pytest.approx(dice, rel=1e-4)
            if step in (0, 4):
                assert_weights(variables, [arrays[f"w{step + 1}_{index:03d}"] for index in range(count)])
        images = arrays["x"].reshape(10, *arrays["x"].shape[2:]).astype("float32")
        masks = arrays["y"].reshape(10, *arrays["y"].shape[2:])
    found = model.evaluate(images, masks, batch_size=4, return_dict=True, verbose=0)
    loss, dice = record["evaluate_bs4_over_10_[loss,dice]"]
    assert float(found["loss"]) == pytest.approx(loss, rel=1e-4)
    assert float(found["dice_coef_multiclass"]) == pytest.approx(dice, rel=1e-4)


def assert_weights(variables, expected) -> None:
    pairs = zip(variables, expected, strict=True)
    differences = np.concatenate(
        [np.abs(keras.ops.convert_to_numpy(variable.value) - wanted).ravel() for variable, wanted in pairs]
    )
    assert (differences <= 1e-4).mean() > 0.999


@pytest.mark.parametrize(
    ("name", "kind"), [("Adam", "Adam"), ("adam", "Adam"), ("AdamW", "AdamW"), (" ADAMW ", "AdamW")]
)
def test_by_name(name, kind):
    config = Config(model={"optimizer": name, "learning_rate": 0.002, "clipvalue": 0.3, "weight_decay": 0.01})
    optimizer = build_optimizer(config)
    assert type(optimizer).__name__ == kind
    assert float(optimizer.learning_rate) == pytest.approx(0.002)
    assert (optimizer.clipvalue, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (
        0.3,
        0.9,
        0.999,
        1e-7,
    )
    if kind == "AdamW":
        assert optimizer.weight_decay == 0.01


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"'Adan' is not an optimizer\. Did you mean 'Adam'"):
        build_optimizer(Config(model={"optimizer": "Adan"}))


@pytest.mark.engines
def test_adam_by_hand():
    """Two steps with gradients 0.5 (clipped to 0.2) and -0.1."""
    optimizer = build_optimizer(Config(model={"learning_rate": 0.01, "clipvalue": 0.2}))
    weight = keras.Variable(np.float32([1.0]), name="weight")
    optimizer.build([weight])
    m = v = 0.0
    expected = 1.0
    for step, (gradient, clipped) in enumerate([(0.5, 0.2), (-0.1, -0.1)], start=1):
        optimizer.apply([keras.ops.convert_to_tensor(np.float32([gradient]))])
        m, v = 0.9 * m + 0.1 * clipped, 0.999 * v + 0.001 * clipped**2
        expected -= 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
        assert float(keras.ops.convert_to_numpy(weight.value)[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.engines
def test_adamw_shrinks_weights_by_itself():
    """With a gradient of zero only the decay acts: w -= learning_rate * weight_decay * w."""
    config = Config(model={"optimizer": "AdamW", "learning_rate": 0.1, "weight_decay": 0.5})
    optimizer = build_optimizer(config)
    weight = keras.Variable(np.float32([2.0]), name="weight")
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor(np.float32([0.0]))])
    assert float(keras.ops.convert_to_numpy(weight.value)[0]) == pytest.approx(2 - 0.1 * 0.5 * 2, rel=1e-6)


def test_clipping_comes_after_the_loss_scale_is_taken_off():
    """Under mixed float16 gradients arrive multiplied by the scale; clipping those would flatten them all.

    On TensorFlow alone: JAX has no such step outside a compiled one.
    """
    config = Config(model={"learning_rate": 0.01, "clipvalue": 0.2})
    plain, scaled = build_optimizer(config), keras.optimizers.LossScaleOptimizer(build_optimizer(config))
    gradients = np.float32([0.05, -0.5])
    found = []
    for optimizer, scale in ((plain, 1.0), (scaled, float(2**15))):
        weight = keras.Variable(np.float32([1.0, 1.0]), name="weight")
        optimizer.build([weight])
        for factor in (1.0, 0.25):
            optimizer.apply([keras.ops.convert_to_tensor(gradients * np.float32(factor * scale))])
        found.append(keras.ops.convert_to_numpy(weight.value))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("mixed_bfloat16", marks=[pytest.mark.engines, pytest.mark.bfloat16]),
        "mixed_float16",
    ],
)
def test_mixed_precision_learns_as_float32_does(policy):
    """Twenty steps on one batch: the loss falls, and ends near that of float32."""
    size = {"image_width": 16, "image_height": 16, "num_layers": 2, "base_filters": 4, "dropout_rate": 0.0}
    config = Config(model={**size, "learning_rate": 0.01, "clipvalue": 0.5})
    from flexunet.models.initial import draw_initial_weights

    random = np.random.default_rng(2)
    bright = random.uniform(size=(2, 16, 16)) < 0.4
    images = np.repeat(np.where(bright, 200.0, 40.0)[..., None], 3, axis=-1).astype("float32")
    masks = np.eye(2, dtype="float32")[bright.astype(int)]
    losses = {}
    for name in ("float32", policy):
        model = compiled(config, policy=name)
        draw_initial_weights(model, 1)
        losses[name] = [
            float(model.train_on_batch(images, masks, return_dict=True)["loss"]) for _ in range(20)
        ]
        model.reset_metrics()
        losses[name].append(float(model.evaluate(images, masks, return_dict=True, verbose=0)["loss"]))
    assert losses[policy][0] == pytest.approx(losses["float32"][0], rel=0.02)
    assert losses[policy][-1] < 0.5 * losses[policy][0]
    assert losses[policy][-1] == pytest.approx(losses["float32"][-1], abs=0.1)
