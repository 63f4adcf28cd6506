"""Where the files of a run lie, and which model is found."""

from pathlib import Path

import pytest

from flexunet.config.files import load_config
from flexunet.errors import PathError
from flexunet.run_folder import RunFolder


def names_in(run):
    """Every file and folder of a run, relative to it."""
    paths = {
        name: getattr(run, name) for name, member in vars(RunFolder).items() if isinstance(member, property)
    } | {name: getattr(run, name) for name in ("models", "curves", "epoch_predictions", "evaluation")}
    paths["export"], paths["exported_model"] = run.export("onnx"), run.exported_model(".h5")
    return {name: path.relative_to(run.path).as_posix() for name, path in paths.items()}


EXPECTED = {
    "pictures": "pictures.npz",
    "appearance": "training_appearance.json",
    "drift_reference": "drift_reference.json",
    "config": "config.toml",
    "environment": "environment.json",
    "history": "history.json",
    "models": "models",
    "best_model": "models/best_model.keras",
    "exported_model": "models/exported.h5",
    "curves": "eval",
    "epoch_predictions": "epoch_change_infer",
    "evaluation": "evaluation",
    "report": "evaluation/report.html",
    "checkpoints": "checkpoints",
    "export": "exported/onnx",
    "tensorboard": "tensorboard",
    "mlflow_run": "mlflow_run.json",
    "mlflow_database": "mlflow.db",
    "stop_file": "break_training",
}


def test_names_of_a_run_by_default(tmp_path):
    (tmp_path / "config.toml").write_text("[train]\n")
    configured = RunFolder.of(load_config(tmp_path))
    assert names_in(configured) == names_in(RunFolder.at(tmp_path)) == EXPECTED


def test_folders_that_the_configuration_names(tmp_path):
    (tmp_path / "config.toml").write_text(
        "[train]\nrun_dir = 'run'\nmodel_dir = 'here'\neval_dir = 'curves'\nsave_weights_only = true\n"
        "epoch_change_infer_dir = ''\n[evaluate]\noutput_dir = 'scores'\n"
    )
    assert names_in(RunFolder.of(load_config(tmp_path))) == EXPECTED | {
        "models": "here",
        "best_model": "here/best_model.weights.h5",
        "exported_model": "here/exported.h5",
        "curves": "curves",
        "evaluation": "scores",
        "report": "scores/report.html",
    }


def test_the_model_is_found_in_whatever_form_it_was_saved(tmp_path):
    (tmp_path / "config.toml").write_text("[train]\nsave_weights_only = true\n")
    run = RunFolder.of(load_config(tmp_path))
    with pytest.raises(PathError, match=r"no trained model in .*models: .*flexunet train .*config.toml`"):
        run.find_model()
    Path(run.models).mkdir()
    # From the one that counts least to the one that was configured.
    for name in ("best_model.h5", "best_model.keras", "best_model.weights.h5"):
        (run.models / name).touch()
        assert run.find_model().name == name


@pytest.mark.parametrize("folder", ["", "saved_model", "best_model"])
def test_a_saved_model_is_named_with_what_to_do(tmp_path, folder):
    (tmp_path / "models" / folder).mkdir(parents=True)
    (tmp_path / "models" / folder / "saved_model.pb").touch()
    with pytest.raises(PathError, match=r"is a TensorFlow SavedModel, which is not read.*save_weights"):
        RunFolder.at(tmp_path).find_model()
