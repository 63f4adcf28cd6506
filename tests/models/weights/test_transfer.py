"""Starting from existing weights: of a run, of a file, of a backbone; other classes; frozen levels."""

import keras
import numpy as np
import pytest

from flexunet.config.files import save_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError, PathError, WeightsError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.encoder_levels import encoder_levels
from flexunet.models.weights.load import save_weights
from flexunet.models.weights.transfer import apply_initial_weights, classes_in

UNET = {"base_filters": 4, "num_layers": 3, "image_width": 32, "image_height": 32}
SWIN = {
    "model": "swin-unet",
    "image_width": 32,
    "image_height": 32,
    "filter_num_begin": 8,
    "depth": 2,
    "num_heads": 2,
    "window_size": [2, 2],
    "num_mlp": 8,
}
TRANS = {
    "model": "trans-unet",
    "image_width": 16,
    "image_height": 16,
    "filter_num": [4, 8],
    "embed_dim": 8,
    "num_mlp": 8,
    "num_heads": 2,
    "num_transformer": 1,
}


def drawn(seed, **options):
    model = build_model(Config(model=options))
    draw_initial_weights(model, seed)
    return model


def stored(tmp_path, suffix, **options):
    """A file, or a run folder where the suffix is empty, of a model with these options."""
    model = drawn(1, **options)
    if suffix:
        path = tmp_path / f"weights{suffix}"
        save_weights(model, path)
        return model, path
    save_config(Config(model=options, train={"run_dir": str(tmp_path / "run")}), tmp_path / "run/config.toml")
    (tmp_path / "run/models").mkdir()
    save_weights(model, tmp_path / "run/models/best_model.keras")
    return model, tmp_path / "run"


@pytest.mark.parametrize("suffix", ["", ".h5", ".weights.h5", ".keras"])
@pytest.mark.parametrize("options", [UNET, TRANS], ids=["unet", "trans"])
def test_everything_but_the_head_where_the_classes_differ(tmp_path, suffix, options):
    source, path = stored(tmp_path, suffix, **options, num_classes=2)
    options = {**options, "num_classes": 3, "initial_weights": str(path)}
    model, untouched = drawn(2, **options), drawn(2, **options)
    notes = apply_initial_weights(model, Config(model=options))
    head = model.layers[-1]
    for layer, taken, fresh in zip(model.layers, source.layers, untouched.layers, strict=True):
        expected = fresh if layer is head else taken
        for one, other in zip(layer.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    total = model.count_params()
    assert f"{total - head.count_params():,} of {total:,} parameters taken" in notes[0]
    assert "num_classes is 3 here and 2 in" in notes[1]
    assert head.name in notes[1]


def test_all_of_a_run_with_the_same_classes(tmp_path):
    source, path = stored(tmp_path, "", **UNET)
    options = {**UNET, "initial_weights": str(path)}
    model = drawn(2, **options)
    assert apply_initial_weights(model, Config(model=options)) == [
        f"[model] initial_weights: all {model.count_params():,} parameters taken from "
        f"{path / 'models/best_model.keras'}."
    ]
    for one, other in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_u2net_has_a_head_at_every_scale(tmp_path):
    options = {"model": "u2net", "base_filters": 4, "num_layers": 2, "image_width": 16, "image_height": 16}
    _, path = stored(tmp_path, ".h5", **options, num_classes=2)
    assert classes_in(path) == 2
    options = {**options, "num_classes": 4, "initial_weights": str(path)}
    notes = apply_initial_weights(drawn(2, **options), Config(model=options))
    assert notes[1].count("u2net_output") == 5


def test_nothing_is_asked_nothing_is_done():
    model = drawn(1, **UNET)
    assert apply_initial_weights(model, Config(model=UNET)) == []
    assert len(model.trainable_weights) == len(model.weights)


def test_another_width_is_refused_by_name(tmp_path):
    _, path = stored(tmp_path, ".h5", **{**UNET, "base_filters": 8})
    options = {**UNET, "initial_weights": str(path)}
    with pytest.raises(WeightsError, match="base_filters = 8"):
        apply_initial_weights(drawn(1, **options), Config(model=options))


def test_a_missing_file_is_said_to_be_missing():
    options = {**UNET, "initial_weights": "nowhere"}
    with pytest.raises(PathError, match="neither a run folder nor a weights file"):
        apply_initial_weights(drawn(1, **options), Config(model=options))


def test_frozen_levels_stay_as_they_are(tmp_path):
    source, path = stored(tmp_path, ".h5", **UNET)
    options = {**UNET, "initial_weights": str(path), "freeze_encoder_levels": 2, "input_normalize": True}
    model = drawn(2, **options)
    notes = apply_initial_weights(model, Config(model=options))
    # Two levels of two convolutions each, of 4 and of 8 filters.
    frozen = 27 * 4 + 4 + 36 * 4 + 4 + 36 * 8 + 8 + 72 * 8 + 8
    assert f"4 layers frozen, {frozen:,} of {model.count_params():,} parameters" in notes[-1]
    model.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", run_eagerly=True)
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3))
    model.train_on_batch(images, np.eye(2)[np.random.default_rng(1).integers(0, 2, (1, 32, 32))])
    same = [
        np.array_equal(one, other)
        for layer, first in zip(model.layers, source.layers, strict=True)
        for one, other in zip(layer.get_weights(), first.get_weights(), strict=True)
    ]
    assert same == [True] * 8 + [False] * (len(same) - 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze_encoder_levels": 1}, "would freeze random weights"),
        ({"freeze_encoder_levels": 9, "initial_weights": "weights.h5"}, "has the encoder levels 0 to 2"),
        ({"weights": "file.h5"}, "has no backbone to fill"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, monkeypatch, options, message):
    stored(tmp_path, ".h5", **UNET)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        apply_initial_weights(drawn(1, **UNET), Config(model={**UNET, **options}))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"model": "attention-unet", **UNET}, ["encoder0_conv1", "encoder1_conv1", "encoder2_conv1"]),
        (SWIN, ["encoder0_block0", "encoder1_merge"]),
        (TRANS, ["transunet_down0_0", "transunet_down1_conv_0"]),
        (
            {"model": "u2net", "base_filters": 4, "num_layers": 2, "image_width": 16, "image_height": 16},
            ["u2net_in_in_0", "u2net_down_0_in_0"],
        ),
        ({"model": "multires-unet", **UNET}, ["encoder0_scale1_conv", "encoder1_scale1_conv"]),
        ({"model": "deeplabv3plus", "image_width": 32, "image_height": 32}, None),
    ],
)
def test_levels_of_the_encoders(options, names):
    levels = encoder_levels(build_model(Config(model=options)))
    if names is None:
        # ResNet's first convolution already halves the image.
        assert {layer.name for layer in levels[1]} == {"conv1_conv", "conv1_bn"}
        assert min(levels) == 1
        return
    assert [levels[level][0].name for level in range(len(names))] == names


@pytest.mark.slow
def test_a_backbone_starts_from_a_local_file(tmp_path):
    """The file is what keras.applications would fetch, drawn at random here."""
    backbone = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(None, None, 3))
    backbone.get_layer("stem_conv").kernel.assign_add(1 + 0 * backbone.get_layer("stem_conv").kernel)
    save_weights(backbone, tmp_path / "efficientnetb0_notop.h5")
    options = {
        "model": "efficient-unet",
        "image_width": 32,
        "image_height": 32,
        "image_channels": 1,
        "weights": str(tmp_path / "efficientnetb0_notop.h5"),
        "freeze_backbone": True,
    }
    model = drawn(3, **options)
    notes = apply_initial_weights(model, Config(model=options))
    assert "parameters of EfficientNetB0 taken from" in notes[0]
    np.testing.assert_array_equal(
        model.get_layer("stem_conv").get_weights()[0], backbone.get_layer("stem_conv").get_weights()[0]
    )
    frozen = {layer.name for layer in model.layers if not layer.trainable}
    assert "block7a_project_conv" in frozen
    assert "head" not in frozen
    assert model(np.zeros((1, 32, 32, 1)), training=False).shape == (1, 32, 32, 2)
