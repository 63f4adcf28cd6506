"""Published weights become a run; a run becomes a file that plain Keras and TensorFlow load."""

import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config, save_config
from flexunet.config.schema import Config
from flexunet.errors import PathError, WeightsError
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.export import export_model
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.backbone import IMAGENET_DEVIATION
from flexunet.models.weights.importing import import_weights, scale_as_pretrained
from flexunet.models.weights.load import load_weights, save_weights


def test_a_published_file_becomes_a_run(reference, tmp_path):
    zoo = reference / "zoo"
    arguments = [zoo / "AttentionUNet.best_model_keras2.h5", zoo / "AttentionUNet.config", tmp_path / "run"]
    result = CliRunner().invoke(app, ["import-weights", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["parameters"] == 33_034
    assert (tmp_path / "run/models/best_model.keras").is_file()
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    assert environment["imported"]["form"].startswith("full model, HDF5, Keras 2")
    arrays = np.load(zoo / "AttentionUNet.io.npz")
    predictor = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(predictor(arrays["x"][1]), arrays["y"][1], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("best_model_keras2.h5", "full model, HDF5, Keras 2"),
        ("weights_keras2.h5", "weights only, HDF5, Keras 2"),
        ("best_model_keras3.h5", "full model, HDF5, Keras 3"),
        ("keras3.weights.h5", "weights only, Keras 3"),
    ],
)
def test_every_kind_of_file_becomes_the_same_run(reference, tmp_path, kind, form):
    case = reference / "model/a_k5_L3_c2"
    config = load_config(case.with_suffix(".config"))
    run = import_weights(f"{case}.{kind}", config, tmp_path / "run")
    assert run.form.startswith(form)
    with np.load(f"{case}.io.npz") as arrays:
        probabilities = Predictor.load(tmp_path / "run")(arrays["x"][1])
        np.testing.assert_allclose(probabilities, arrays["y"][1], atol=1e-4)


def test_a_run_is_never_overwritten(reference, tmp_path):
    weights = reference / "zoo/SharpUNet.weights_keras2.h5"
    config = load_config(reference / "zoo/SharpUNet.config")
    run = import_weights(weights, config, tmp_path / "run")
    assert run.form.startswith("weights only, HDF5")
    with pytest.raises(PathError, match="exists: import into a new folder"):
        import_weights(weights, config, tmp_path / "run")


def test_nothing_is_written_where_the_file_does_not_fit(reference, tmp_path):
    config = load_config(reference / "model/a_k5_L3_c2.config", ["model.base_filters=8"])
    with pytest.raises(WeightsError, match=r"layer conv2d .*5x5x3x4.*base_filters = 4"):
        import_weights(reference / "model/a_k5_L3_c2.best_model_keras2.h5", config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("said", [True, False, None])
def test_the_input_is_scaled_as_in_the_file(reference, tmp_path, said):
    """d has x / 255 as its first layer, whatever a configuration says."""
    overrides = [] if said is None else [f"model.input_normalize={str(said).lower()}"]
    config = load_config(reference / "model/d_k3_L4_d3_bn_mish_c6.config", overrides)
    run = import_weights(
        reference / "model/d_k3_L4_d3_bn_mish_c6.best_model_keras2.h5", config, tmp_path / "run"
    )
    assert load_config(tmp_path / "run").model.input_normalize is True
    assert any("input_normalize is False" in note for note in run.notes) == (said is False)


def test_zoo_classes_ignored_the_key(reference, tmp_path):
    """A published Attention U-Net never divides by 255; its run says so."""
    config = load_config(reference / "zoo/AttentionUNet.config", ["model.input_normalize=true"])
    run = import_weights(reference / "zoo/AttentionUNet.best_model_keras2.h5", config, tmp_path / "run")
    assert "does not divide" in run.notes[0]
    assert load_config(tmp_path / "run").model.input_normalize is False


def test_the_constant_model_is_told(reference, tmp_path):
    config = load_config(reference / "zoo/UNet3Plus.config", ["model.num_classes=1"])
    run = import_weights(reference / "zoo/UNet3Plus.best_model_keras2.h5", config, tmp_path / "run")
    assert "answers 1.0 everywhere" in run.notes[0]


@pytest.fixture
def efficient():
    return Config(model={"model": "efficient-unet", "image_width": 32, "image_height": 32, "num_classes": 1})


@pytest.mark.slow
def test_one_sigmoid_channel_becomes_two_of_softmax(efficient, tmp_path):
    """The published class answers two classes by one channel; the run answers both, and the same."""
    published = build_model(efficient)
    draw_initial_weights(published, 4)
    save_weights(published, tmp_path / "best_model.h5")
    efficient.model.num_classes = 2
    run = import_weights(tmp_path / "best_model.h5", efficient, tmp_path / "run")
    assert "1 - p and p" in run.notes[0]
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    model = build_model(load_config(tmp_path / "run"))
    load_weights(model, run.model_path)
    both = ops.convert_to_numpy(model(images, training=False))
    p = ops.convert_to_numpy(published(images, training=False))
    # A float32 is rounded to 2**-24, and sums are made in an order that depends on the processor. Some 240
    # layers move a logit of size 20 by about sqrt(240) * 20 * 2**-24 = 2e-5, p by a quarter of it.
    np.testing.assert_allclose(both, np.concatenate([1 - p, p], -1), atol=1e-4)


def test_the_scaling_of_pretrained_backbones():
    """For pretrained weights keras.applications divides by the root of the deviation once more."""
    image = keras.Input((2, 2, 3))
    normalization = layers.Normalization()
    model = keras.Model(image, normalization(image))
    mean, variance = np.array([0.485, 0.456, 0.406]), np.array([0.0524, 0.0502, 0.0506])
    normalization.set_weights([mean, variance, np.array(0)])
    scale_as_pretrained(model)
    pixels = np.random.default_rng(0).uniform(0, 1, (1, 2, 2, 3)).astype("float32")
    expected = (pixels - mean) / np.sqrt(variance) / np.sqrt(IMAGENET_DEVIATION)
    np.testing.assert_allclose(ops.convert_to_numpy(model(pixels)), expected, rtol=1e-5)


@pytest.fixture
def trained_run(tmp_path):
    """A run folder of a small Swin-Unet, whose layers are our own, and its model."""
    options = {"filter_num_begin": 8, "depth": 2, "num_heads": 2, "window_size": [4, 4], "num_mlp": 16}
    config = Config(
        model={"model": "swin-unet", "image_width": 64, "image_height": 32, **options},
        train={"run_dir": str(tmp_path / "run")},
    )
    model = build_model(config)
    draw_initial_weights(model, 2)
    save_config(config, tmp_path / "run/config.toml")
    (tmp_path / "run/models").mkdir()
    save_weights(model, tmp_path / "run/models/best_model.keras")
    return tmp_path / "run", model


def test_export_to_h5_is_read_by_keras(trained_run, tmp_path):
    run, model = trained_run
    result = CliRunner().invoke(app, ["export", str(run), "--to", "h5", "--out", str(tmp_path / "swin.h5")])
    assert result.exit_code == 0, result.output
    fresh = build_model(load_config(run))
    fresh.load_weights(tmp_path / "swin.h5")
    for one, other in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_export_refuses_what_is_there_and_other_suffixes(trained_run, tmp_path):
    run, _ = trained_run
    config = load_config(run)
    path = export_model(config, "keras")
    assert path == run / "models/exported.keras"
    with pytest.raises(PathError, match="exists: give another name"):
        export_model(config, "keras")
    with pytest.raises(PathError, match=r"ends in \.h5"):
        export_model(config, "h5", tmp_path / "model.keras")
    with pytest.raises(PathError, match="no form to export to"):
        export_model(config, "onnx")


def test_exported_weights_are_named_as_published(reference, tmp_path):
    """Same layers with the same arrays in the same order: what Keras 2 compares when it loads."""
    config = load_config(reference / "zoo/TransUNet.config")
    run = import_weights(reference / "zoo/TransUNet.best_model_keras2.h5", config, tmp_path / "run")
    exported = export_model(load_config(run.run_dir), "h5", tmp_path / "out.h5")
    with h5py.File(exported) as ours, h5py.File(reference / "zoo/TransUNet.weights_keras2.h5") as published:
        held = [arrays_of(file) for file in (ours, published)]
    assert [name for name, _ in held[0]] == [name for name, _ in held[1]]
    for (_, one), (_, other) in zip(*held, strict=True):
        np.testing.assert_array_equal(one, other)


def arrays_of(file):
    def names(group, attribute):
        return [name.decode() if isinstance(name, bytes) else name for name in group.attrs[attribute]]

    layers_with_weights = [
        layer for layer in names(file, "layer_names") if names(file[layer], "weight_names")
    ]
    return [
        (layer, file[layer][weight][()])
        for layer in layers_with_weights
        for weight in names(file[layer], "weight_names")
    ]


@pytest.mark.slow
def test_keras_2_loads_an_exported_file(reference, tmp_path):
    """With tf_keras, the Keras 2 of today's TensorFlow, in a process of its own."""
    pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    config = load_config(reference / "model/a_k5_L3_c2.config")
    run = import_weights(reference / "model/a_k5_L3_c2.best_model_keras2.h5", config, tmp_path / "run")
    exported = export_model(load_config(run.run_dir), "h5", tmp_path / "out.h5")
    script = """
import json, sys, h5py, numpy as np, tf_keras
from tf_keras import layers
_, exported, published, arrays = sys.argv
config = json.loads(h5py.File(published).attrs["model_config"])
model = tf_keras.Model.from_config(config["config"])
model.load_weights(exported)
data = np.load(arrays)
print(np.abs(model(data["x"].astype("float32")).numpy() - data["y"]).max())
"""
    files = [
        exported,
        *(reference / f"model/a_k5_L3_c2.{kind}" for kind in ("best_model_keras2.h5", "io.npz")),
    ]
    answer = subprocess.run([sys.executable, "-c", script, *map(str, files)], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout.split()[-1]) < 1e-4
