"""`[infer] engine = "auto"`: an export is used if it predicts as the run does, and written if that pays."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.cli.exporting import export_if_missing
from flexunet.config.files import load_config
from flexunet.deployment.export import export_bundle
from flexunet.deployment.worth import Worth, time_export
from flexunet.inference.predict.engine_choice import choose_engine, with_engine
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.runtimes.bundle import PARITY, find_bundle, has_bundle
from flexunet.inference.runtimes.load import OpenVinoRuntime
from flexunet.machine import this_machine
from flexunet.run_folder import RunFolder

pytestmark = pytest.mark.skipif(this_machine().has_gpu, reason="with a GPU Keras is chosen, as it should be")


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the run, to write into."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def exported_once(run, tmp_path_factory):
    """A run with its export to OpenVINO, to be copied."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(run, folder)
    export_bundle(load_config(folder), "openvino")
    return folder


@pytest.fixture
def exported(exported_once, tmp_path):
    """A copy of the exported run, to write into."""
    shutil.copytree(exported_once, tmp_path / "run")
    return load_config(tmp_path / "run")


def with_infer(config, **keys):
    return config.model_copy(update={"infer": config.infer.model_copy(update=keys)})


def predict(run, *options):
    """Predict the run's images; the masks and the engine that is on record."""
    answer = CliRunner().invoke(app, ["infer", str(run), "--json", *options])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["reused"] == 0
    output = run / "mini_test_output"
    told = json.loads((run / "mini_test_output_lesions/prediction.json").read_text())
    return {path.name: path.read_bytes() for path in output.glob("*.png")}, told["engine"]


def test_without_an_export_keras_predicts_and_with_one_the_export_does(own_run):
    by_keras, engine = predict(own_run)
    assert engine in ("tensorflow", "jax", "torch")
    export_bundle(load_config(own_run), "openvino")
    by_export, engine = predict(own_run)
    assert engine == "openvino"
    assert by_export == by_keras
    assert len(by_keras) == 12


def test_the_export_computes_in_float32_as_keras_does(exported):
    predictor = Predictor.load(exported)
    assert isinstance(predictor.model, OpenVinoRuntime)
    assert predictor.model.precision == "float32"
    assert predictor.config.infer.engine == "openvino"
    assert exported.infer.engine == "auto"


def test_a_key_or_an_option_is_stronger(exported):
    assert with_engine(with_infer(exported, engine="keras")).infer.engine == "keras"
    assert not isinstance(Predictor.load(exported, engine="keras").model, OpenVinoRuntime)
    # What is asked of the run's own model is not asked of an export.
    assert "dropout" in choose_engine(with_infer(exported, monte_carlo=4)).reason
    assert "mixed_bfloat16" in choose_engine(with_infer(exported, precision="mixed_bfloat16")).reason


def test_an_export_of_other_weights_is_passed_over(exported):
    with RunFolder.of(exported).find_model().open("ab") as stream:
        stream.write(b"more")
    choice = choose_engine(exported)
    assert choice.engine == "keras"
    assert "made from other weights" in choice.reason
    assert not choice.may_export


def test_a_damaged_export_is_passed_over(exported):
    with find_bundle(exported, "openvino").model_path.open("ab") as stream:
        stream.write(b"more")
    assert "is not what was exported" in choose_engine(exported).reason


@pytest.mark.parametrize("report", ["{}", "[]", '{"passed": false}', "no JSON"])
def test_an_export_that_did_not_pass_is_passed_over(exported, report):
    # Its digest is that of a file in the bundle, so both are written anew.
    bundle = find_bundle(exported, "openvino")
    (bundle.folder / PARITY).write_text(report)
    files = {name: digest for name, digest in bundle.files.items() if name != PARITY}
    manifest = bundle.model_copy(update={"files": files})
    (bundle.folder / "export.json").write_text(manifest.model_dump_json())
    assert choose_engine(exported).engine == "keras"


def test_an_export_is_written_where_it_pays(own_run):
    config = load_config(own_run)
    export_if_missing(config, lambda: 29)
    export_if_missing(config)  # nobody says how many
    assert not has_bundle(config, "openvino")
    export_if_missing(config, lambda: 10**6)
    assert choose_engine(config).engine == "openvino"


def test_what_an_export_saves_is_weighed_against_what_it_takes(config):
    assert Worth(keras_s=100, export_s=20, saved_s=50).pays
    assert not Worth(keras_s=50, export_s=20, saved_s=25).pays
    worth = time_export(config, 10)
    assert worth.saved_s == pytest.approx(0.3 * worth.keras_s)
    # Five seconds at least, whatever the model.
    assert worth.export_s > 5
