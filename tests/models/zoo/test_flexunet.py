"""The U-Net is the published one: layer by layer, count by count, number by number."""

import json

import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.encoder_levels import encoder_levels
from flexunet.models.zoo.flexunet import build, decoder_maps, plan_levels

COUNTS = {
    "a_k5_L3_c2": 8_690,
    "b_k9_L4_c2_seedlike": 65_794,
    "c_k5_L5_d2_c3_miaslike": 122_951,
    "d_k3_L4_d3_bn_mish_c6": 122_278,
    "e_gray_k5_L3_c1": 8_485,
}
PUBLISHED = "TensorFlow-FlexUNet-Image-Segmentation-"
FULL = {
    "full_seed_MammogramMastery": ("Breast-Cancer-Mammogram-Mastery", 124_996_866),
    "full_MIAS": ("MIAS-Mammogram", 124_457_619),
}


def config_of(**model) -> Config:
    settings = {"image_width": 32, "image_height": 32, "num_layers": 3, "base_filters": 4, **model}
    return Config(model=settings)


def described(layer) -> dict:
    """One layer as the reference's tables describe it."""
    config = layer.get_config()
    row = {
        "type": type(layer).__name__,
        "output_shape": [None, *layer.output.shape[1:]],
        "params": layer.count_params(),
        "weights": [list(variable.shape) for variable in layer.weights if "seed" not in variable.name],
    }
    for key in ("kernel_size", "filters", "strides", "dilation_rate", "padding", "use_bias", "pool_size"):
        if key in config:
            row[key] = list(config[key]) if isinstance(config[key], tuple) else config[key]
    for key in ("rate", "epsilon", "momentum", "activation"):
        if key in config:
            row[key] = config[key]
    return row


def expected(row: dict) -> dict:
    """The same of a published layer; its x / 255 is a Lambda, ours a Rescaling."""
    kept = {
        key: row[key] for key in row if key not in {"index", "name", "trainable", "inbound", "seed", "axis"}
    }
    kept["weights"] = [shape for _, shape in row["weights"]]
    kept["type"] = "Rescaling" if row["type"] == "Lambda" else row["type"]
    kept.pop("function", None)
    if isinstance(kept.get("activation"), dict):
        kept["activation"] = kept["activation"]["config"]
    return kept


def assert_same_layers(model: keras.Model, table: list[dict]) -> None:
    assert len(model.layers) == len(table)
    ours = {"input_1": "image", "lambda": "rescaling"}
    for layer, row in zip(model.layers, table, strict=True):
        assert layer.name == ours.get(row["name"], row["name"])
        found = described(layer)
        assert {key: found.get(key) for key in expected(row)} == expected(row), row["name"]
        inbound = [
            tensor._keras_history.operation.name
            for node in layer._inbound_nodes[:1]
            for tensor in node.input_tensors
        ]
        if row["inbound"]:
            assert inbound == [ours.get(name, name) for name in row["inbound"]]


@pytest.mark.parametrize("name", COUNTS)
def test_layers_are_the_published_ones(reference, name):
    model = build_model(load_config(reference / f"model/{name}.config"))
    assert model.count_params() == COUNTS[name]
    assert_same_layers(model, json.loads((reference / f"model/{name}.layers.json").read_text()))


@pytest.mark.parametrize("table", FULL)
def test_full_models_have_the_published_parameters(reference, table):
    file, parameters = FULL[table]
    config = load_config(reference / f"configs/{PUBLISHED}{file}__train_eval_infer.config")
    try:
        # Shapes alone: half a gigabyte of weights is never made.
        with keras.StatelessScope(initialize_variables=False):
            model = build_model(config)
        assert model.count_params() == parameters
        assert_same_layers(model, json.loads((reference / f"model/{table}.layers.json").read_text()))
    finally:
        keras.utils.clear_session()


def test_initializers_are_the_published_ones(reference):
    """He for the convolutions, Glorot for the rest, as a published file describes its layers."""
    import h5py

    with h5py.File(reference / "model/d_k3_L4_d3_bn_mish_c6.best_model_keras2.h5") as file:
        published = json.loads(file.attrs["model_config"])["config"]["layers"]
    kinds = {
        layer["name"]: layer["config"]["kernel_initializer"]["class_name"]
        for layer in published
        if "kernel_initializer" in layer["config"]
    }
    model = build_model(load_config(reference / "model/d_k3_L4_d3_bn_mish_c6.config"))
    assert {name: type(model.get_layer(name).kernel_initializer).__name__ for name in kinds} == kinds


@pytest.mark.parametrize(
    ("kernel", "parameters"),
    [((4, 4), 8_006), ((1, 1), 6_866), ((5, 5), 8_690)],
)
def test_kernels_shrink_by_two_down_to_three(kernel, parameters):
    """Counts of config_quirks_keras2.json."""
    assert build(config_of(base_kernels=kernel)).count_params() == parameters


def test_levels_by_hand():
    config = config_of(base_kernels=(9, 9), dilation=(3, 3), num_layers=5, base_filters=16, dropout_rate=0.04)
    levels = plan_levels(config)
    assert [level.filters for level in levels] == [16, 32, 64, 128, 256]
    assert [level.kernel for level in levels] == [(9, 9), (7, 7), (5, 5), (3, 3), (3, 3)]
    assert [level.dilation for level in levels] == [(3, 3), (2, 2), (1, 1), (1, 1), (1, 1)]
    assert [level.dropout for level in levels] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_kernels_of_two_sizes_shrink_on_their_own():
    assert [level.kernel for level in plan_levels(config_of(base_kernels=(7, 3)))] == [(7, 3), (5, 3), (3, 3)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_width": 60, "num_layers": 4}, ["image_width", "56", "64"]),
        ({"image_height": 2, "num_layers": 4}, ["image_height", "8"]),
        ({"dropout_rate": 0.5}, ["dropout_rate"]),
        ({"activation": "relux"}, ["activation", "relux", "'relu'"]),
        ({"num_classes": 1, "final_activation": "sigmoyd"}, ["final_activation", "'sigmoid'"]),
    ],
)
def test_what_cannot_be_built_names_the_key_and_what_fits(settings, words):
    with pytest.raises(ConfigError) as caught:
        build(config_of(**settings))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        pytest.param("mixed_bfloat16", marks=[pytest.mark.engines, pytest.mark.bfloat16]),
        "mixed_float16",
    ],
)
@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 3, "activation": "mish", "normalization": True, "dilation": (2, 2)},
        {"num_classes": 1, "image_channels": 1, "base_kernels": (5, 5)},
        {"num_classes": 2, "image_width": 48, "input_normalize": False},
    ],
)
def test_probabilities_in_every_precision(settings, policy):
    config = config_of(**settings)
    before = keras.config.dtype_policy().name
    model = build_model(config, policy=policy)
    assert keras.config.dtype_policy().name == before
    images = np.random.default_rng(1).uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    probabilities = keras.ops.convert_to_numpy(model(images, training=False))
    assert probabilities.shape == (2, *model.input_shape[1:3], settings["num_classes"])
    assert probabilities.dtype == np.float32
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert (probabilities <= 1).all()
    if settings["num_classes"] > 1:
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert model.get_layer("conv2d").compute_dtype == policy.removeprefix("mixed_")
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)


def test_two_classes_always_use_softmax_and_one_uses_sigmoid():
    assert (
        build(config_of(num_classes=2, final_activation="relu")).layers[-1].activation.__name__ == "softmax"
    )
    assert build(config_of(num_classes=1)).layers[-1].activation.__name__ == "sigmoid"


@pytest.mark.engines
def test_dropout_draws_the_same_from_the_same_seed():
    config = config_of(dropout_rate=0.3)
    images = np.full((1, 32, 32, 3), 100.0, "float32")

    def fresh() -> keras.Model:
        model = build(config)
        draw_initial_weights(model, 1)
        return model

    def output(model: keras.Model, training: bool) -> np.ndarray:
        return keras.ops.convert_to_numpy(model(images, training=training))

    np.testing.assert_array_equal(output(fresh(), True), output(fresh(), True))
    assert not np.array_equal(output(fresh(), True), output(fresh(), False))


@pytest.mark.engines
@pytest.mark.parametrize(("kind", "groups"), [("group", 8), ("instance", 16)])
def test_normalisation_by_groups_worked_by_hand(kind, groups):
    """Each group of channels of each image has mean 0 and variance 1, in training or not."""
    config = config_of(normalization=True, normalization_layer=kind, base_filters=16, num_layers=2)
    model = build(config)
    layer = model.get_layer("group_normalization")
    assert layer.groups == groups
    inner = keras.Model(model.input, layer.output)
    size = model.input_shape[1:]
    images = np.random.default_rng(0).uniform(0, 255, (3, *size)).astype(np.float32)
    for training in (False, True):
        features = keras.ops.convert_to_numpy(inner(images, training=training))
        grouped = features.reshape(3, -1, groups, 16 // groups)
        np.testing.assert_allclose(grouped.mean(axis=(1, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(grouped.var(axis=(1, 3)), 1, atol=2e-2)
    # An image is normalised by itself: the others of its batch do not count.
    alone = keras.ops.convert_to_numpy(inner(images[:1]))
    np.testing.assert_allclose(alone[0], features[0], atol=1e-4)


def test_no_level_has_more_filters_than_the_maximum():
    levels = plan_levels(config_of(num_layers=5, base_filters=16, max_filters=48))
    assert [level.filters for level in levels] == [16, 32, 48, 48, 48]


def test_decoder_maps_of_a_normalised_network_are_its_activations():
    config = config_of(normalization=True, normalization_layer="group", num_layers=3)
    model = build(config)
    (name,) = decoder_maps(config)
    height, width = model.input_shape[1:3]
    assert model.get_layer(name).output.shape[1:3] == (height // 2, width // 2)


NNUNET = {
    "normalization": True,
    "normalization_layer": "instance",
    "activation": "leaky_relu",
    "leaky_slope": 0.01,
    "downsampling": "stride",
    "dropout_rate": 0.0,
}


def operations(model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def conv_parameters(*sizes: tuple[int, int, int]) -> int:
    """Weights and biases of convolutions of (side, inputs, outputs)."""
    return sum(side * side * inputs * outputs + outputs for side, inputs, outputs in sizes)


def test_a_network_like_nnunets_by_hand():
    model = build(config_of(**NNUNET, num_layers=3, base_filters=4, max_filters=8, image_channels=1))
    level = [
        "Conv2D",
        "GroupNormalization",
        "LeakyReLU",
        "Dropout",
        "Conv2D",
        "GroupNormalization",
        "LeakyReLU",
    ]
    up = ["Conv2DTranspose", "Concatenate", *level]
    assert operations(model) == ["InputLayer", "Rescaling", *3 * level, *2 * up, "Conv2D"]
    strides = [layer.strides for layer in model.layers if type(layer) is keras.layers.Conv2D]
    assert strides == [(1, 1), (1, 1), (2, 2), (1, 1), (2, 2), (1, 1), *5 * [(1, 1)]]
    assert {layer.negative_slope for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU)} == {
        0.01
    }
    convolutions = [(3, 1, 4), (3, 4, 4), (3, 4, 8), (3, 8, 8), (3, 8, 8), (3, 8, 8)]
    convolutions += [(2, 8, 8), (3, 16, 8), (3, 8, 8), (2, 8, 4), (3, 8, 4), (3, 4, 4), (1, 4, 2)]
    assert model.count_params() == conv_parameters(*convolutions) + 2 * (4 + 4 + 6 * 8 + 4 + 4)


def test_a_residual_encoder_by_hand():
    keys = {"encoder_blocks": "residual", "blocks_per_level": [1, 2], "image_channels": 1, "num_layers": 3}
    model = build(config_of(**NNUNET | keys, base_filters=4, max_filters=8))
    convolutions = [(3, 1, 4), (3, 4, 4), (3, 4, 4)]  # the stem and a block without a shortcut of its own
    convolutions += [(3, 4, 8), (3, 8, 8), (1, 4, 8), (3, 8, 8), (3, 8, 8), *4 * [(3, 8, 8)]]
    convolutions += [(2, 8, 8), (3, 16, 8), (3, 8, 8), (2, 8, 4), (3, 8, 4), (3, 4, 4), (1, 4, 2)]
    normalised = 3 * 4 + 5 * 8 + 4 * 8 + 2 * 8 + 2 * 4
    assert model.count_params() == conv_parameters(*convolutions) + 2 * normalised
    assert operations(model).count("Add") == 1 + 2 + 2
    assert operations(model).count("AveragePooling2D") == 2
    levels = encoder_levels(model)
    assert sorted(levels) == [0, 1, 2]
    assert not {layer.name for layers in levels.values() for layer in layers} & {"conv2d", "conv2d_transpose"}


def test_an_untrained_residual_block_passes_its_input_on():
    """With the last normalisation of the block at zero, what comes out is the activation of what went in."""
    keys = {"encoder_blocks": "residual", "num_layers": 2, "activation": "relu"}
    model = build(config_of(**NNUNET | keys))
    model.get_layer("encoder0_block0_2_norm").set_weights([np.zeros(4), np.zeros(4)])
    both = keras.Model(
        model.input, [model.get_layer(f"encoder0_{name}").output for name in ("stem_act", "block0_out")]
    )
    images = np.random.default_rng(0).uniform(0, 255, (1, *model.input_shape[1:])).astype(np.float32)
    before, after = both(images)
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_bilinear_upsampling_is_that_of_the_projected_map():
    model = build(config_of(upsampling="bilinear", num_layers=2))
    assert "Conv2DTranspose" not in operations(model)
    inner = keras.Model(
        model.input, [model.get_layer(name).output for name in ("projection", "up_sampling2d")]
    )
    images = np.random.default_rng(0).uniform(0, 255, (1, *model.input_shape[1:])).astype(np.float32)
    small, large = (keras.ops.convert_to_numpy(each) for each in inner(images))
    assert large.shape == (1, 32, 32, 4)
    # Half-pixel centres: a new pixel lies a quarter of the way from its own old pixel to the next.
    row = 0.75 * small[0, 3, :, :] + 0.25 * small[0, 4, :, :]
    np.testing.assert_allclose(large[0, 7, 9], 0.75 * row[4] + 0.25 * row[5], rtol=1e-4, atol=1e-6)


@pytest.mark.engines
@pytest.mark.parametrize(
    "keys",
    [
        NNUNET,
        NNUNET | {"encoder_blocks": "residual", "blocks_per_level": [1, 2]},
        {"encoder_blocks": "residual", "upsampling": "bilinear", "normalization": False},
        {"encoder_blocks": "residual", "normalization": True, "normalization_layer": "batch"},
        {"activation": "leaky_relu", "leaky_slope": 0.1, "normalization": False},
        {"downsampling": "stride", "dilation": (3, 3), "normalization": True},
    ],
)
def test_every_network_learns_and_names_its_decoder_maps(keys):
    config = config_of(**keys, num_layers=4, learning_rate=0.01)
    model = build_model(config)
    sizes = [model.get_layer(name).output.shape[1:] for name in decoder_maps(config)]
    assert sizes == [(16, 16, 8), (8, 8, 16)]
    ups = [layer for layer in model.layers if layer.name.startswith(("conv2d_transpose", "projection"))]
    before_ups = [layer.input._keras_history.operation.name for layer in ups]
    assert decoder_maps(config) == before_ups[:0:-1]  # what is enlarged next, but for the bottleneck
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[(images[..., 0] > 128).astype(int)]
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
    losses = [float(model.train_on_batch(images, targets)) for _ in range(12)]
    assert losses[-1] < losses[0]
