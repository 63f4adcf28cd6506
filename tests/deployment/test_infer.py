"""`infer --engine`: exports found, made, refused; nothing imported or sent that need not be."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.configured import split_pairs
from flexunet.data.images.files.read import read_image
from flexunet.errors import ConfigError, PathError, WeightsError
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.runtimes.bundle import MANIFEST, Bundle, find_bundle, read_bundle
from flexunet.inference.runtimes.load import open_engine
from flexunet.run_folder import RunFolder

from .conftest import SIZE

# Runs the command line with sockets forbidden, then says which modules that cost.
ALONE = """
import socket, sys
def forbidden(*arguments, **options):
    raise AssertionError(f"a socket was opened: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = forbidden
socket.create_connection = socket.getaddrinfo = forbidden
from flexunet.cli import main
sys.argv = ["flexunet", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"tensorflow", "keras", "jax", "torch", "nncf"} & set(sys.modules)
    print("HEAVY", sorted(heavy), sys.modules.get("openvino_telemetry"), file=sys.stderr)
"""


def alone(*arguments, home, **environment):
    """The command line in a process of its own, in a home of its own; telemetry would leave a file there."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)],
        env={key: value for key, value in os.environ.items() if key not in ("CI", "TF_BUILD")}
        | {"HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the run, to write into."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def masks_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


@pytest.mark.slow
def test_openvino_predicts_without_an_engine_and_sends_nothing(own_run, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    made = alone("export", own_run, "--to", "openvino", "--int8", "--force", "--json", home=home)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["path"].endswith("exported/openvino-int8")
    exported = own_run / "exported/openvino-int8"
    answer = alone("infer", exported, own_run / "valid/images", home=home)
    assert answer.returncode == 0, answer.stderr
    assert "HEAVY [] None" in answer.stderr
    assert len(masks_of(exported / "mini_test_output")) == 12
    assert not (home / "intel").exists()


def test_infer_writes_the_export_it_lacks_and_journals_it_apart(own_run):
    first = invoke("infer", own_run, "--json")
    assert first.exit_code == 0, first.output
    by_keras = masks_of(own_run / "mini_test_output")
    options = ("--engine", "openvino", "--set", "infer.precision='float32'", "--json")
    second = invoke("infer", own_run, *options)
    assert second.exit_code == 0, second.output
    assert "the run has no export for openvino yet" in second.stderr
    assert json.loads(second.stdout)["reused"] == 0
    assert masks_of(own_run / "mini_test_output") == by_keras
    third = invoke("infer", own_run, *options)
    assert "no export" not in third.stderr
    assert json.loads(third.stdout)["reused"] == 12
    fourth = invoke("tiledinfer", own_run, own_run / "valid/images", *options)
    assert json.loads(fourth.stdout)["failures"] == {}


def test_what_was_fitted_goes_with_the_export(own_run):
    fitted = ("--set", "infer.postprocess=run", "--set", "infer.threshold=run")
    first = invoke("infer", own_run, *fitted, "--json")
    assert first.exit_code == 0, first.output
    assert "fitting on the validation split" in first.stderr
    again = invoke("infer", own_run, *fitted, "--json")
    assert json.loads(again.stdout)["reused"] == 12
    assert "fitting" not in again.stderr
    made = invoke("export", own_run, "--to", "onnx", *fitted, "--json")
    assert made.exit_code == 0, made.output
    bundle = own_run / "exported/onnx"
    shutil.rmtree(own_run / "models")  # the export must not need them
    answer = invoke("infer", bundle, own_run / "valid/images")
    assert answer.exit_code == 0, answer.output
    assert masks_of(bundle / "mini_test_output") == masks_of(own_run / "mini_test_output")
    told, by_run = (
        json.loads((folder / "mini_test_output_lesions/prediction.json").read_text())
        for folder in (bundle, own_run)
    )
    assert (told["postprocess"], told["threshold"]) == (by_run["postprocess"], by_run["threshold"])
    assert len(told["postprocess"]["classes"]) == 1


def test_an_export_that_takes_minutes_is_asked_for(own_run):
    answer = invoke("infer", own_run, "--engine", "openvino-int8")
    assert isinstance(answer.exception, PathError)
    assert f"flexunet export {own_run / 'config.toml'} --to openvino --int8" in str(answer.exception)
    answer = invoke("infer", own_run, "--engine", "openvin")
    assert isinstance(answer.exception, ConfigError)


@pytest.fixture
def exported(own_run):
    """The copy, exported to ONNX."""
    assert invoke("export", own_run, "--to", "onnx").exit_code == 0
    return load_config(own_run)


def test_a_damaged_export_is_refused(exported):
    bundle = find_bundle(exported, "onnx")
    with bundle.model_path.open("r+b") as stream:
        stream.seek(200)
        stream.write(b"\0\1\2\3")
    with pytest.raises(WeightsError, match=r"model\.onnx is not what was exported"):
        open_engine(exported, "onnx")
    bundle.model_path.unlink()
    with pytest.raises(WeightsError, match=r"model\.onnx is missing"):
        open_engine(exported, "onnx")


def test_an_export_of_other_weights_is_refused(exported):
    with RunFolder.of(exported).find_model().open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(WeightsError, match="made from other weights"):
        open_engine(exported, "onnx")


def test_an_export_of_another_size_is_refused(exported):
    exported.model.image_width = 64
    with pytest.raises(WeightsError, match=r"takes images of \(32, 32, 3\)"):
        open_engine(exported, "onnx")


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/../../b", "C:\\x", "..\\x"])
def test_a_manifest_cannot_lead_out_of_its_folder(exported, name):
    folder = find_bundle(exported, "onnx").folder
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = "0" * 32
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="leads out of the bundle"):
        read_bundle(folder)


def test_a_model_without_a_digest_is_refused(exported):
    folder = find_bundle(exported, "onnx").folder
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]["model.onnx"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match=r"expected the digest of model\.onnx"):
        read_bundle(folder)


def test_a_file_that_is_no_model_is_refused(exported):
    folder = find_bundle(exported, "onnx").folder
    (folder / "model.onnx").write_bytes(b"not a model")
    bundle = Bundle.model_validate_json((folder / MANIFEST).read_bytes()).at(folder)
    from flexunet.inference.runtimes.load import open_bundle

    with pytest.raises(WeightsError, match=r"model\.onnx cannot be read by onnx"):
        open_bundle(bundle)
    with pytest.raises(ConfigError, match="an export to onnx computes in float32"):
        open_bundle(bundle, "mixed_bfloat16")


@pytest.mark.bfloat16
def test_keras_in_bfloat16_predicts_nearly_the_same(config):
    """Kernels held in bfloat16 give, to the bit, what mixed precision gives."""
    from flexunet.models.registry import build_model
    from flexunet.models.weights.load import load_weights

    sets = {"float32": "float32", "held": "mixed_bfloat16"}
    predictors = {}
    for name, precision in sets.items():
        chosen = config.model_copy(update={"infer": config.infer.model_copy(update={"precision": precision})})
        predictors[name] = Predictor.load(chosen)
    mixed = build_model(config, policy="mixed_bfloat16")
    load_weights(mixed, RunFolder.of(config).find_model())
    kernel = predictors["held"].model.get_layer("conv2d").kernel
    assert kernel.dtype == "bfloat16"
    images = [read_image(pair.image_path, 3) for pair in split_pairs(config, "valid")]
    pixels = np.stack([predictors["held"].prepare(image) for image in images])
    held = predictors["held"].predict_batch(pixels)
    np.testing.assert_array_equal(held, np.asarray(mixed.predict_on_batch(pixels)))
    np.testing.assert_allclose(held, predictors["float32"].predict_batch(pixels), atol=0.1)


@pytest.mark.slow
def test_another_engine_converts_through_tensorflow(own_run, tmp_path):
    """JAX has no way to OpenVINO of its own; the model comes out the same."""
    pytest.importorskip("jax", reason="JAX is not installed")
    options = ("--set", "infer.precision='float32'")
    made = alone("export", own_run, "--to", "openvino", *options, home=tmp_path, KERAS_BACKEND="jax")
    assert made.returncode == 0, made.stderr
    report = json.loads((own_run / "exported/openvino/parity.json").read_text())
    assert report["largest_difference"] < 1e-4


def test_the_runs_of_an_ensemble_get_exports_of_their_own(run, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        shutil.copytree(run, folder)
    (tmp_path / "both.toml").write_text(
        f"[model]\nimage_width = {SIZE}\nimage_height = {SIZE}\n[infer]\nengine = 'openvino'\n"
        "ensemble = ['a', 'b']\n"
    )
    answer = invoke("infer", tmp_path / "both.toml", run / "valid/images", "--out", tmp_path / "masks")
    assert answer.exit_code == 0, answer.output
    assert all((folder / "exported/openvino" / MANIFEST).is_file() for folder in folders)
    assert len(masks_of(tmp_path / "masks")) == 12


def test_volumes_are_predicted_with_an_export_too(own_run, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    voxels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "a.mha"))
    labels = []
    for options in ((), ("--engine", "openvino", "--set", "infer.precision=float32")):
        out = tmp_path / f"labels{len(options)}"
        answer = invoke(
            "infer3d", own_run, tmp_path / "a.mha", "--out", out, "--set", "infer3d.video_type=none", *options
        )
        assert answer.exit_code == 0, answer.output
        labels.append(sitk.GetArrayFromImage(sitk.ReadImage(str(out / "a.mha"))))
    assert (own_run / "exported/openvino" / MANIFEST).is_file()
    assert np.mean(labels[0] == labels[1]) > 0.999
    assert labels[0].any()
