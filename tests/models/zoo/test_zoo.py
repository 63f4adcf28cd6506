"""Every architecture: channels, classes, sizes, precision, saving."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from flexunet.config.architectures import ARCHITECTURES
from flexunet.config.model_sections import ModelSection
from flexunet.config.schema import Config
from flexunet.errors import ConfigError, ShapeError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.layers.swin_block import relative_places, window_mask
from flexunet.models.operations_count import multiply_adds
from flexunet.models.registry import build_model

SMALL = {
    "flexunet": {"base_filters": 4, "num_layers": 3},
    "attention-unet": {"base_filters": 4, "num_layers": 3},
    "deeplabv3plus": {},
    "efficientnetb7-unet": {},
    "efficient-unet": {},
    "multires-unet": {"base_filters": 4, "num_layers": 3},
    "sharp-unet": {"filters": [4, 8], "max_filter": 8},
    "swin-unet": {"filter_num_begin": 8, "depth": 2, "num_heads": 2, "window_size": [4, 4], "num_mlp": 16},
    "trans-unet": {"filter_num": [4, 8], "embed_dim": 8, "num_mlp": 16, "num_heads": 2, "num_transformer": 1},
    "u2net": {"base_filters": 4, "num_layers": 2},
    "unet3plus": {"base_filters": 4},
    "unetplusplus": {"base_filters": 4, "num_layers": 3},
    "resenc-unet": {"base_filters": 4, "num_layers": 3},
    "linknet": {"base_filters": 4, "num_layers": 3},
}
# Sizes are multiples of this, as configured above.
MULTIPLES = {
    "flexunet": 4,
    "attention-unet": 4,
    "deeplabv3plus": 16,
    "efficientnetb7-unet": 32,
    "efficient-unet": 32,
    "multires-unet": 4,
    "sharp-unet": 4,
    "swin-unet": 32,
    "trans-unet": 2,
    "u2net": 8,
    "unet3plus": 16,
    "unetplusplus": 4,
    "resenc-unet": 4,
    "linknet": 4,
}
LIGHT = [name for name in SMALL if name != "efficientnetb7-unet"]
NAMES = [*LIGHT, pytest.param("efficientnetb7-unet", marks=pytest.mark.slow)]


def config_of(name, **model):
    return Config(model={"model": name, "image_width": 64, "image_height": 32, **SMALL[name], **model})


def images_of(config, count=2):
    shape = (count, config.model.image_height, config.model.image_width, config.model.image_channels)
    return np.random.default_rng(3).integers(0, 256, shape).astype("float32")


def predicted(model, images):
    """What a model answers; JAX compiles operation by operation unless it is given the whole model."""
    if keras.backend.backend() == "jax":
        return model.predict(images.astype("float32"), verbose=0)
    return ops.convert_to_numpy(model(images.astype("float32"), training=False))


def test_every_architecture_is_tested_here():
    assert set(SMALL) == set(MULTIPLES) == {entry.name for entry in ARCHITECTURES}


@pytest.mark.parametrize(
    "name",
    # On every engine those without a record of the published class to be compared with (test_zoo_reference).
    [
        pytest.param(name, marks=pytest.mark.engines)
        if name in ("resenc-unet", "unetplusplus", "linknet")
        else name
        for name in LIGHT
    ]
    + [pytest.param("efficientnetb7-unet", marks=pytest.mark.slow)],
)
def test_probabilities_of_a_wide_grey_image(name):
    config = config_of(name, image_channels=1, num_classes=3)
    if name == "u2net":
        config.model.final_activation = "softmax"
    model = build_model(config)
    draw_initial_weights(model, 1)
    probabilities = predicted(model, images_of(config))
    assert probabilities.shape == (2, 32, 64, 3)
    assert probabilities.dtype == np.float32
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert probabilities.std() > 1e-4


@pytest.mark.parametrize("name", LIGHT)
def test_one_class_is_one_sigmoid_channel(name):
    config = config_of(name, num_classes=1)
    probabilities = predicted(build_model(config), images_of(config))
    assert probabilities.shape == (2, 32, 64, 1)
    assert 0 <= probabilities.min() < probabilities.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_size_that_does_not_fit_is_answered_with_the_nearest(name):
    multiple = MULTIPLES[name]
    config = config_of(name, image_width=64 + multiple // 2)
    with pytest.raises((ShapeError, ConfigError), match=r"image_width = \d+") as error:
        build_model(config)
    nearest = [int(number) for number in re.findall(r"\b(64|\d+)\b", str(error.value).split("nearest")[1])]
    assert nearest == [64, 64 + multiple]


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("deeplabv3plus", {"image_height": 16}, "at least 32; the nearest is 32"),
        ("attention-unet", {"num_layers": 1}, "needs at least 2"),
        ("sharp-unet", {"filters": []}, "needs at least 1"),
        ("efficient-unet", {"efficientnet": "B9"}, "efficientnet = 'B9': there are B0, B1"),
        ("swin-unet", {"window_size": [4, 2, 2]}, "window_size has 3 numbers: .* one for each of depth = 2"),
        ("swin-unet", {"num_heads": 3}, "3 heads cannot share the 8 filters"),
        ("swin-unet", {"patch_size": (4, 2)}, "height and width of a patch must be equal"),
        ("swin-unet", {"filter_num_begin": 6}, "needs a multiple of patch_size = 4"),
        ("trans-unet", {"num_heads": [2, 2]}, "one number for all its blocks"),
        ("trans-unet", {"backbone": "VGG16"}, "TransUNet has its own encoder"),
        ("multires-unet", {"base_filters": 3}, "base_filters"),
    ],
)
def test_what_cannot_be_built_is_said(name, model, message):
    with pytest.raises((ConfigError, ShapeError), match=message):
        build_model(config_of(name, **model))


@pytest.mark.bfloat16
@pytest.mark.parametrize("name", ["attention-unet", "swin-unet", "trans-unet", "resenc-unet", "u2net"])
def test_mixed_precision_still_answers_in_float32(name):
    config = config_of(name)
    plain, mixed = build_model(config), build_model(config, policy="mixed_bfloat16")
    for model in (plain, mixed):
        draw_initial_weights(model, 1)
    assert keras.config.dtype_policy().name == "float32"
    images = images_of(config) / 255
    answer = mixed(images, training=False)
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    expected = ops.convert_to_numpy(plain(images, training=False))
    assert np.abs(ops.convert_to_numpy(answer) - expected).mean() < 0.05


@pytest.mark.parametrize("name", ["sharp-unet", "swin-unet", "trans-unet"])
def test_a_saved_model_comes_back_without_our_help(name, tmp_path):
    config = config_of(name)
    model = build_model(config)
    model.save(tmp_path / "model.keras")
    images = images_of(config)
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images, training=False), model(images, training=False))


@pytest.mark.parametrize("name", ["attention-unet", "swin-unet", "unet3plus", "resenc-unet"])
def test_one_step_reaches_every_weight(name):
    config = config_of(name, input_normalize=True)
    model = build_model(config)
    draw_initial_weights(model, 1)
    before = [np.array(weight) for weight in model.trainable_weights]
    truth = np.eye(2)[np.random.default_rng(0).integers(0, 2, (2, 32, 64))]
    model.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(images_of(config), truth)
    moved = [np.any(old != np.array(new)) for old, new in zip(before, model.trainable_weights, strict=True)]
    assert np.mean(moved) > 0.97


@pytest.mark.parametrize("name", LIGHT)
def test_the_same_seed_gives_the_same_weights(name):
    models = [build_model(config_of(name)) for _ in range(2)]
    for model in models:
        draw_initial_weights(model, 5)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_sharpening_is_fixed():
    config = config_of("sharp-unet", input_normalize=True)
    model = build_model(config)
    draw_initial_weights(model, 1)
    model.compile("sgd", "categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(images_of(config), np.ones((2, 32, 64, 2)) / 2)
    kernel = np.array(model.get_layer("decoder0_sharpen").kernel)
    assert kernel.shape == (3, 3, 4, 1)
    np.testing.assert_array_equal(kernel[:, :, 0, 0], [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


def test_variants_of_the_paper():
    published, paper = (build_model(config_of("sharp-unet", variant=v)) for v in ("published", "paper"))
    # Two convolutions more at the level of 8 filters, and the next 2x2 one sees 8 channels fewer.
    more, less = (9 * 16 * 8 + 8) + (9 * 8 * 8 + 8), 2 * 2 * 4 * 8
    assert paper.count_params() - published.count_params() == more - less
    gate = build_model(config_of("attention-unet", variant="paper")).get_layer("decoder0_gate_weight")
    assert gate.output.shape[-1] == 1


def test_windows_of_a_shifted_map():
    """A 4 x 4 map in windows of 2, rolled by 1: what came around the edge is a stranger."""
    mask = window_mask((4, 4), 2, 1)
    assert mask.shape == (4, 4, 4)
    near, far = 0.0, -100.0
    np.testing.assert_array_equal(mask[0], np.full((4, 4), near))
    left_right = [[near, far, near, far], [far, near, far, near]] * 2
    np.testing.assert_array_equal(mask[1], left_right)
    np.testing.assert_array_equal(mask[2], [[near, near, far, far]] * 2 + [[far, far, near, near]] * 2)
    np.testing.assert_array_equal(mask[3], np.where(np.eye(4) > 0, near, far))


def test_places_in_a_window_of_two():
    np.testing.assert_array_equal(
        relative_places(2), [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    )


def test_multiply_adds_by_hand():
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)  # 16 places x 27 x 4
    features = keras.layers.DepthwiseConv2D(3, padding="same")(features)  # 16 x 9 x 4
    features = keras.layers.BatchNormalization()(features)
    features = keras.layers.Conv2DTranspose(2, 2, strides=2)(features)  # 16 x 4 x 2 x 4
    features = keras.layers.Reshape((64, 2))(features)
    attended = keras.layers.MultiHeadAttention(2, 3)(features, features)  # 64 x 4 x 12, and 2 x 64 x 64 x 6
    answer = keras.layers.Dense(5)(attended)  # 64 x 2 x 5
    expected = 16 * 27 * 4 + 16 * 9 * 4 + 16 * 32 + 64 * 48 + 2 * 64 * 64 * 6 + 64 * 10
    assert multiply_adds(keras.Model(image, answer)) == expected


def test_multiply_adds_of_a_known_network():
    """EfficientNet-B0 at 224 pixels is told to cost 0.39 billion (Tan and Le 2019, table 2)."""
    assert multiply_adds(keras.applications.EfficientNetB0(weights=None)) == pytest.approx(0.39e9, rel=0.02)


class Watched(ModelSection):
    """The section of the model, which knows what was read of it."""

    def __getattribute__(self, name):
        if name in ModelSection.model_fields:
            READ.add(name)
        return super().__getattribute__(name)


READ = set()
# What all read, whatever the architecture, or what no layer depends on.
SHARED = {
    "model", "image_width", "image_height", "image_channels", "num_classes", "input_normalize",
    "final_activation", "freeze_backbone", "freeze_batch_norm", "backbone",
}  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ARCHITECTURES if row.name in LIGHT], ids=lambda row: row.name)
def test_a_row_names_the_keys_that_are_read(row):
    config = config_of(row.name)
    config.model = Watched(**config.model.model_dump(exclude_unset=True))
    READ.clear()
    build_model(config)
    assert set(row.keys) - SHARED <= READ | {"weights"}
    assert set(row.keys) >= READ - SHARED


def test_parameters_of_linknet_by_hand():
    """Two levels of 4 filters: stem, encoder 0, encoder 1 with its shortcut, decoder, head."""
    model = build_model(config_of("linknet", num_layers=2, image_channels=1))
    normed = lambda inputs, outputs, kernel: kernel**2 * inputs * outputs + 4 * outputs  # noqa: E731
    stem = normed(1, 4, 3)
    first = 2 * normed(4, 4, 3)
    second = normed(4, 8, 3) + normed(8, 8, 3) + normed(4, 8, 1)
    decoder = normed(8, 2, 1) + normed(2, 2, 3) + normed(2, 4, 1)
    assert model.count_params() == stem + first + second + decoder + 4 * 2 + 2
