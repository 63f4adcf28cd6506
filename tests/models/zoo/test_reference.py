"""The siblings against the published classes: counts, order of weights, outputs.

What is measured is recorded as properties of the tests; benchmarks/zoo_reference.py makes a table of them.
"""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from flexunet.config.files import load_config
from flexunet.models.registry import build_model
from flexunet.models.weights.file import open_weights
from flexunet.models.weights.load import load_weights

# What the weights in shared/reference/zoo hold in all, as its README lists them, and how near outputs come.
WITH_FILES = {
    "AttentionUNet": (33_034, 1e-4),
    "MultiResUNet": (31_828, 1e-4),
    "SharpUNet": (22_574, 1e-4),
    "SwinUNet": (112_700, 1e-3),
    "TransUNet": (20_022, 1e-3),
    "U2Net": (194_122, 1e-4),
}
WITH_RECIPE = {
    "DeepLabV3Plus": 11_852_610,
    "EfficientUNet": 6_292_804,
    "EfficientUNet_c3": 6_292_838,
    "EfficientUNet_B1": 7_246_586,
    "EfficientNetB7UNet": 56_725_112,
}
SLOW = {"EfficientUNet_c3", "EfficientUNet_B1", "EfficientNetB7UNet"}
# Published with one sigmoid channel whatever the configuration says.
ONE_CHANNEL = {"EfficientUNet", "EfficientNetB7UNet", "UNet3Plus"}


def model_of(reference, name):
    config = load_config(reference / f"zoo/{name}.config")
    if name in ONE_CHANNEL:
        config.model.num_classes = 1
    return build_model(config)


def checked(record, model, found, published, tolerance):
    """Refuse a larger difference; record it."""
    difference = float(np.abs(found - published).max())
    record("parameters", model.count_params())
    record("difference", difference)
    assert difference <= tolerance


def predicted(model, images):
    """What a model answers; JAX compiles operation by operation unless it is given the whole model."""
    if keras.backend.backend() == "jax":
        return model.predict(images.astype("float32"), verbose=0)
    return ops.convert_to_numpy(model(images.astype("float32"), training=False))


@pytest.mark.engines
@pytest.mark.parametrize("name", WITH_FILES)
def test_outputs_are_the_published_ones(reference, record_property, name):
    parameters, tolerance = WITH_FILES[name]
    arrays = np.load(reference / f"zoo/{name}.io.npz")
    model = model_of(reference, name)
    assert model.count_params() == parameters
    # Full models and weights alone are laid out alike; each is read for half of them.
    kind = "best_model" if name < "T" else "weights"
    load_weights(model, reference / f"zoo/{name}.{kind}_keras2.h5")
    checked(record_property, model, predicted(model, arrays["x"]), arrays["y"], tolerance)


@pytest.mark.parametrize("name", [*WITH_FILES, "UNet3Plus"])
def test_weights_stand_in_the_published_order(reference, name):
    table = json.loads((reference / f"zoo/{name}.layers.json").read_text())
    published = [tuple(shape) for row in table for _, shape in row["weights"]]
    assert [tuple(w.shape) for layer in model_of(reference, name).layers for w in layer.weights] == published


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in WITH_RECIPE],
)
def test_outputs_with_weights_drawn_by_the_published_recipe(reference, record_property, name):
    model = model_of(reference, name)
    assert model.count_params() == WITH_RECIPE[name]
    arrays = np.load(reference / f"zoo/{name}.io.npz")
    recipe = json.loads((reference / f"zoo/{name}.json").read_text())["weights_recipe_check"]
    variables = [variable for layer in model.layers for variable in layer.weights]
    assert [list(variable.shape) for variable in variables] == [shape for _, shape, *_ in recipe]
    for variable, values in zip(variables, drawn_by_recipe(recipe), strict=True):
        if values is not None:
            variable.assign(values)
    variables[-2].assign(arrays["last_layer_kernel"])
    variables[-1].assign(arrays["last_layer_bias"])
    checked(record_property, model, predicted(model, arrays["x"]), arrays["y"], 1e-4)


def drawn_by_recipe(recipe):
    """The weights of the zoo's README; the first value and the mean of each are checked."""
    stream = np.random.default_rng(6000)
    for number, (name, shape, first, mean, _) in enumerate(recipe):
        layer, kind = name.removesuffix(":0").split("/")
        if layer.startswith("normalization"):
            yield None
            continue
        if kind.endswith("kernel"):
            # Fan-in as the recipe counts it: a transposed convolution's kernel ends in its inputs.
            fan_in = shape[0] * shape[1] * shape[3] if "transpose" in layer else np.prod(shape[:-1])
            values = stream.normal(0, np.sqrt(2 / fan_in), shape)
        else:
            values = {
                "bias": lambda: stream.normal(0, 0.05, shape),  # noqa: B023
                "gamma": lambda: stream.uniform(0.5, 1.5, shape),  # noqa: B023
                "beta": lambda: stream.normal(0, 0.1, shape),  # noqa: B023
                "moving_mean": lambda: stream.normal(0, 0.1, shape),  # noqa: B023
                "moving_variance": lambda: stream.uniform(0.5, 1.5, shape),  # noqa: B023
            }[kind]()
        if number < len(recipe) - 2:
            assert values.flat[0] == pytest.approx(first, rel=1e-5)
            assert values.mean() == pytest.approx(mean, abs=1e-6)
        yield values.astype("float32")


def test_unet3plus_before_its_softmax(reference, record_property):
    """Published, one channel under a softmax is 1.0 everywhere; so the map before it is computed here."""
    keys = ["model.num_classes=1", "model.final_activation=linear"]
    config = load_config(reference / "zoo/UNet3Plus.config", keys)
    model = build_model(config)
    assert model.count_params() == 107_593
    load_weights(model, reference / "zoo/UNet3Plus.best_model_keras2.h5")
    images = np.load(reference / "zoo/UNet3Plus.io.npz")["x"].astype("float32")
    logits = run_table(
        reference / "zoo/UNet3Plus.layers.json", reference / "zoo/UNet3Plus.weights_keras2.h5", images
    )
    assert logits.std() > 0.5
    # Logits have no scale of their own: differences are parts of the largest.
    scale = np.abs(logits).max()
    checked(record_property, model, predicted(model, images) / scale, logits / scale, 1e-5)


def run_table(table, weights, images):
    """Run the published graph from its table alone, up to the last activation."""
    rows = json.loads(table.read_text())
    with open_weights(weights) as stored:
        arrays = {
            layer.name: [ops.convert_to_tensor(array.read(stored.path)) for array in layer.arrays]
            for layer in stored.layers
        }
    maps = {rows[0]["name"]: ops.convert_to_tensor(images)}
    for row in rows[1:-1]:
        inputs = [maps[name] for name in row["inbound"]]
        match row["type"]:
            case "Conv2D":
                kernel, bias = arrays[row["name"]]
                result = ops.conv(inputs[0], kernel, padding="same") + bias
            case "BatchNormalization":
                gamma, beta, mean, variance = arrays[row["name"]]
                result = (inputs[0] - mean) / ops.sqrt(variance + row["epsilon"]) * gamma + beta
            case "TensorFlowOpLayer":
                assert "Relu" in row["name"]
                result = ops.relu(inputs[0])
            case "MaxPooling2D":
                size = tuple(row["pool_size"])
                result = ops.max_pool(inputs[0], size, strides=size, padding="valid")
            case "UpSampling2D":
                result = layers.UpSampling2D(row["size"], interpolation=row["interpolation"])(inputs[0])
            case "Concatenate":
                result = ops.concatenate(inputs, axis=-1)
            case "Dropout":
                result = inputs[0]
        maps[row["name"]] = result
    return ops.convert_to_numpy(result)
