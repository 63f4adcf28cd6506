"""Exports: each form there and back, what the report says, and models that are refused."""

import json
import re
import shutil

import numpy as np
import pytest

from flexunet.config.files import load_config, save_config
from flexunet.data.configured import open_split, split_pairs
from flexunet.data.images.files.read import read_image
from flexunet.data.images.normalise import normalise
from flexunet.data.images.pixels import to_model_range
from flexunet.deployment.export import PARITY_TABLE, export_bundle
from flexunet.errors import ConfigError, EngineError, ParityError, PathError
from flexunet.extras import install_command
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.inference.runtimes.bundle import MANIFEST, PARITY
from flexunet.inference.runtimes.load import best_precision
from flexunet.models.trained import load_trained_model
from flexunet.models.weights.load import save_weights
from flexunet.run_folder import RunFolder


def with_infer(config, **keys):
    return config.model_copy(update={"infer": config.infer.model_copy(update=keys)})


def images_of(config):
    return [read_image(pair.image_path, 3) for pair in split_pairs(config, "valid")]


@pytest.fixture
def config(config):
    """In float32, so that bfloat16 has no part in what is measured."""
    return with_infer(config, precision="float32")


@pytest.mark.parametrize("form", ["openvino", "onnx", "litert"])
def test_an_export_in_float32_predicts_what_keras_predicts(config, form, tmp_path):
    export = export_bundle(config, form, out=tmp_path / form)
    assert export.report["passed"]
    assert export.report["largest_difference"] < 1e-4
    assert export.report["identical_masks"] == export.report["images"] == 12
    assert export.report["dice_per_image_mean"]["run"] > 0.8
    keras_predictor = Predictor.load(config)
    # The bundle is enough: it is a run folder of its own.
    predictor = Predictor.load(tmp_path / form)
    for image in images_of(config):
        np.testing.assert_allclose(predictor(image), keras_predictor(image), atol=1e-4)
    batch = np.stack([predictor.prepare(image) for image in images_of(config)[:5]])
    expected = keras_predictor.predict_batch(batch)
    np.testing.assert_allclose(predictor.predict_batch(batch), expected, atol=1e-4)
    np.testing.assert_allclose(predictor.predict_batch(batch[:1]), expected[:1], atol=1e-4)


@pytest.mark.parametrize("form", ["openvino", "onnx", "litert"])
def test_an_export_normalises_as_the_run_does(config, form, tmp_path):
    config = config.model_copy(update={"image": config.image.model_copy(update={"normalize": "zscore"})})
    export_bundle(config, form, out=tmp_path / form)
    run, export = Predictor.load(config), Predictor.load(tmp_path / form)
    assert export.config.image.normalize == "zscore"
    cache = open_split(config, "valid")
    trained_on, _ = cache.read(np.arange(3))
    for image, pixels in zip(images_of(config), trained_on, strict=False):
        # What training and evaluation read, the run and its export are shown.
        prepared = export.prepare(image)
        np.testing.assert_allclose(prepared, to_model_range(pixels), atol=0.01)
        np.testing.assert_array_equal(prepared, run.prepare(image))
        np.testing.assert_allclose(export(image), run(image), atol=1e-4)
        darker = (image // 2).astype(np.uint8)
        assert np.abs(export(darker) - export(image)).mean() < 0.01
        whole = run.predict_tiled(image)  # tiles are normalised with their image, not each by itself
        np.testing.assert_allclose(export.predict_tiled(image), whole, atol=1e-4)


def test_tiles_are_normalised_with_their_image(config):
    config = config.model_copy(update={"image": config.image.model_copy(update={"normalize": "percentiles"})})
    predictor = Predictor.load(config)
    plain = Predictor.load(
        config.model_copy(update={"image": config.image.model_copy(update={"normalize": "none"})})
    )
    (image, *_) = images_of(config)
    expected = plain.predict_tiled(normalise(image, "percentiles"))
    np.testing.assert_array_equal(predictor.predict_tiled(image), expected)
    np.testing.assert_array_equal(predictor(image), plain(normalise(image, "percentiles")))


def test_a_saved_model_is_what_tensorflow_serves(config, tmp_path):
    import tensorflow as tf

    export = export_bundle(config, "saved_model", out=tmp_path / "served")
    assert export.report is None
    loaded = tf.saved_model.load(tmp_path / "served/saved_model")
    predictor = Predictor.load(config)
    pixels = np.stack([predictor.prepare(image) for image in images_of(config)])
    np.testing.assert_allclose(loaded.serve(pixels).numpy(), predictor.predict_batch(pixels), atol=1e-4)


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_int8_is_smaller_and_keeps_the_masks(config, form, tmp_path):
    export = export_bundle(config, form, int8=True, out=tmp_path / "int8", tolerance=0.01)
    report = json.loads((tmp_path / "int8" / PARITY).read_text())
    assert report == export.report
    assert report["int8"]
    assert 0 < report["largest_difference"] < 0.3
    assert report["agreement"] > 0.998
    assert report["dice_change"] <= 0.01
    assert "| layers kept in floating point | none |" in (tmp_path / "int8" / PARITY_TABLE).read_text()
    masks = [mask_of(Predictor.load(config)(image)) for image in images_of(config)]
    found = [mask_of(Predictor.load(tmp_path / "int8")(image)) for image in images_of(config)]
    agreement = np.mean([a == b for a, b in zip(masks, found, strict=True)])
    assert agreement == pytest.approx(report["agreement"], abs=1e-3)


@pytest.fixture(scope="module")
def outlier(run, tmp_path_factory):
    """The same run, one channel a thousand times the others: the same to a float, too much for 8 bits."""
    folder = tmp_path_factory.mktemp("outlier")
    copy = with_infer(load_config(run), precision="float32")
    model = load_trained_model(copy)
    copy.train.run_dir = str(folder)
    first, second = model.get_layer("conv2d"), model.get_layer("conv2d_1")
    kernel, bias = first.get_weights()
    first.set_weights([kernel * [1000, 1, 1, 1, 1, 1], bias * [1000, 1, 1, 1, 1, 1]])
    kernel, bias = second.get_weights()
    kernel[:, :, 0] /= 1000
    second.set_weights([kernel, bias])
    save_config(copy, folder / "config.toml")
    (folder / "models").mkdir()
    save_weights(model, folder / "models/best_model.keras")
    return load_config(folder)


def test_a_model_that_int8_breaks_is_not_written(outlier, tmp_path):
    with pytest.raises(ParityError, match=r"onnx in INT8 changes the Dice .* Nothing was written.*--force"):
        export_bundle(outlier, "onnx", int8=True, out=tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_model_is_written_where_that_is_forced(outlier, tmp_path):
    export = export_bundle(outlier, "onnx", int8=True, out=tmp_path / "broken", force=True)
    assert not export.report["passed"]
    assert export.report["dice_change"] > 0.002
    assert "written all the same (--force)" in (tmp_path / "broken" / PARITY_TABLE).read_text()


def test_int8_with_no_layer_left_in_int8_is_not_written(config, tmp_path):
    """With a tolerance that nothing meets, all layers go back to floating point: that is no INT8.

    Where a processor's INT8 changes nothing at all, no layer goes back, and the tolerance is what refuses.
    """
    said = (
        r"(No layer could stay in INT8|changes the Dice of the foreground by 0\.0000, above -1\.0).*--force"
    )
    with pytest.raises(ParityError, match=said):
        export_bundle(config, "openvino", int8=True, out=tmp_path / "none", tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_layers_that_int8_breaks_stay_in_floating_point(outlier, tmp_path):
    export = export_bundle(outlier, "openvino", int8=True, out=tmp_path / "mended")
    assert export.report["passed"]
    assert export.report["attempts_before"][0]["dice_change"] > 0.002
    assert export.report["kept_in_floating_point"]


def test_what_cannot_be_exported_is_said_first(config, tmp_path):
    with pytest.raises(ConfigError, match="litert is not quantised here"):
        export_bundle(config, "litert", int8=True)
    (tmp_path / "there").mkdir()
    with pytest.raises(PathError, match="exists: remove it"):
        export_bundle(config, "openvino", out=tmp_path / "there")
    blind = config.model_copy(update={"valid": type(config.valid)()})
    with pytest.raises(ConfigError, match="--int8 calibrates on the validation split"):
        export_bundle(blind, "openvino", int8=True)


def test_without_masks_the_runs_own_stand_in(config, tmp_path):
    blind = config.model_copy(update={"valid": type(config.valid)()})
    report = export_bundle(blind, "openvino", out=tmp_path / "blind").report
    assert report["truth"] == "masks of the run's own model"
    assert report["images_are"] == "images of [infer] images_dir"
    assert report["dice_per_image_mean"]["run"] == 1.0


def test_a_missing_library_names_its_extra(config, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    with pytest.raises(EngineError, match=re.escape(install_command("onnx"))):
        export_bundle(config, "onnx", out=tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_lists_every_file(config, run, tmp_path):
    export_bundle(config, "openvino", out=tmp_path / "bundle")
    files = json.loads((tmp_path / "bundle" / MANIFEST).read_text())["files"]
    there = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert set(files) == there - {MANIFEST}
    assert there == {"model.xml", "model.bin", "config.toml", PARITY, PARITY_TABLE, MANIFEST}
    shutil.copytree(tmp_path / "bundle", tmp_path / "elsewhere/bundle")
    shutil.rmtree(tmp_path / "bundle")
    moved = load_config(tmp_path / "elsewhere/bundle")
    assert moved.run_dir.resolve() == (tmp_path / "elsewhere/bundle").resolve()
    assert moved.infer.engine == "openvino"
    assert RunFolder.of(config).find_model().is_file()


def test_bfloat16_gives_way_to_float32_where_dice_minds(config, tmp_path):
    free = with_infer(config, precision="auto")
    report = export_bundle(free, "openvino", out=tmp_path / "strict", tolerance=1e-6).report
    assert report["passed"]
    tried = [*(attempt["precision"] for attempt in report["attempts_before"]), report["precision"]]
    assert tried[0] == best_precision()
    assert tried[1:] in ([], ["float32"])
    assert Predictor.load(tmp_path / "strict").model.precision == report["precision"]
