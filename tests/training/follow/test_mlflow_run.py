"""What MLflow has of a run, read back from its database; and that nothing is asked of the network."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")
mlflow = pytest.importorskip("mlflow")

from flexunet.config.files import load_config  # noqa: E402
from flexunet.errors import ConfigError  # noqa: E402
from flexunet.training.follow.history import History  # noqa: E402
from flexunet.training.follow.mlflow_run import LogToMLflow, require_mlflow, run_parameters  # noqa: E402

FIGURES = [
    {"loss": 0.9, "val_loss": 1.0, "lr": 1e-3},
    {"loss": 0.5, "val_loss": float("nan"), "lr": 1e-3},
    {"loss": 0.25, "val_loss": 0.75, "lr": 5e-4},
]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """A database without a run: MLflow takes its time to make one."""
    require_mlflow()
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path.as_posix()}").search_experiments()
    return path


@pytest.fixture
def config(tmp_path, empty_database):
    (tmp_path / "a run").mkdir()
    shutil.copy(empty_database, tmp_path / "a run" / "mlflow.db")
    (tmp_path / "c.toml").write_text(
        "[model]\nlearning_rate = 0.001\n[train]\nmlflow = true\n[infer]\nfill_holes = true\n"
    )
    return load_config(tmp_path / "c.toml", [f"train.run_dir={(tmp_path / 'a run').as_posix()}"])


def follow(config, first, last, notes=None, ends=True, goes_on=None):
    """Follow some epochs of a run, as a new process would."""
    require_mlflow()
    history = History(config.run_dir / "eval", ["loss"])
    callback = LogToMLflow(
        config,
        history,
        goes_on=first > 0 if goes_on is None else goes_on,
        notes=[] if notes is None else notes,
    )
    for epoch in range(last):
        if epoch >= first:
            callback.on_epoch_begin(epoch)
        history.append(FIGURES[epoch])
        if epoch >= first:
            callback.on_epoch_end(epoch)
    if ends:
        callback.on_train_end()
    return callback


def client(config):
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{config.run_dir.as_posix()}/mlflow.db")


def steps(config, run_id, name):
    return [(metric.step, metric.value) for metric in client(config).get_metric_history(run_id, name)]


def runs(config):
    experiment = client(config).get_experiment_by_name("flexunet")
    return client(config).search_runs([experiment.experiment_id])


def test_settings_and_figures(config):
    follow(config, 0, 3)
    (run,) = runs(config)
    assert run.info.run_name == "a run"
    assert run.info.status == "FINISHED"
    assert run.data.params["model.learning_rate"] == "0.001"
    assert run.data.params["train.batch_size"] == "4"
    assert run.data.params["infer.fill_holes"] == "True"
    assert "infer.min_lesion_pixels" not in run.data.params
    assert not [key for key in run.data.params if key.endswith("_dir")]
    assert steps(config, run.info.run_id, "loss") == [(1, 0.9), (2, 0.5), (3, 0.25)]
    assert steps(config, run.info.run_id, "val_loss") == [(1, 1.0), (3, 0.75)]
    assert steps(config, run.info.run_id, "learning_rate") == [(1, 1e-3), (2, 1e-3), (3, 5e-4)]


def test_a_run_that_goes_on_stays_one_run_and_no_step_is_doubled(config):
    follow(config, 0, 2, ends=False)
    # Killed before the checkpoint of epoch 2: that epoch is trained again.
    follow(config, 1, 3)
    (run,) = runs(config)
    assert run.info.status == "FINISHED"
    assert steps(config, run.info.run_id, "loss") == [(1, 0.9), (2, 0.5), (3, 0.25)]


def test_stopped_within_the_first_epoch_it_stays_one_run_too(config):
    follow(config, 0, 0, ends=False).on_epoch_begin(0)
    follow(config, 0, 2, goes_on=True)
    (run,) = runs(config)
    assert run.info.status == "FINISHED"
    assert steps(config, run.info.run_id, "loss") == [(1, 0.9), (2, 0.5)]


def test_switched_on_in_the_middle_earlier_epochs_are_there_too(config):
    follow(config, 2, 3)
    (run,) = runs(config)
    assert steps(config, run.info.run_id, "loss") == [(1, 0.9), (2, 0.5), (3, 0.25)]


def test_a_new_run_in_the_folder_is_a_new_one_and_the_killed_one_is_told_so(config):
    follow(config, 0, 1, ends=False)
    follow(config, 0, 1)
    assert sorted(run.info.status for run in runs(config)) == ["FINISHED", "KILLED"]
    about = json.loads((config.run_dir / "mlflow_run.json").read_text())
    (finished,) = [run for run in runs(config) if run.info.status == "FINISHED"]
    assert about["run_id"] == finished.info.run_id


def test_a_server_that_is_not_there_is_told_before_the_first_step(config):
    config.train.mlflow_uri = "http://user:secret@127.0.0.1:9"
    with pytest.raises(ConfigError, match=r"\[train\] mlflow: http://127.0.0.1:9 cannot be used") as caught:
        follow(config, 0, 1)
    assert "secret" not in str(caught.value)


def test_a_server_that_goes_away_costs_no_epoch_and_gets_what_it_missed(config, monkeypatch):
    notes = []
    callback = follow(config, 0, 1, notes, ends=False)
    database = config.run_dir / "mlflow.db"
    content = database.read_bytes()
    database.write_bytes(b"not a database" * 100)
    callback.history.append(FIGURES[1])
    callback.on_epoch_end(1)
    assert len(notes) == 1
    assert notes[0].startswith("MLflow lacks epochs from 2 on")
    database.write_bytes(content)
    callback.history.append(FIGURES[2])
    callback.on_epoch_end(2)
    assert steps(config, callback.run_id, "loss") == [(1, 0.9), (2, 0.5), (3, 0.25)]


def test_nothing_leaves_the_machine(config):
    """Every connection and every look-up of a host is an audit event of Python: there is none."""
    code = """
    import sys, time
    asked = []
    sys.addaudithook(lambda event, given: asked.append(given) if event in
                     ("socket.connect", "socket.getaddrinfo", "socket.sendto") else None)
    from test_mlflow_run import follow
    from flexunet.config.files import load_config
    follow(load_config(sys.argv[1], [sys.argv[2]]), 0, 2)
    time.sleep(2)
    assert not asked, asked
    """
    (config.run_dir / "mlflow.db").unlink()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)]),
        "MLFLOW_TRACKING_URI": "http://192.0.2.1:5000",
        "MLFLOW_DISABLE_TELEMETRY": "false",
    }
    subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(code),
            str(config.source),
            f"train.run_dir={config.run_dir.as_posix()}",
        ],
        env=environment,
        check=True,
    )
    assert steps(config, runs(config)[0].info.run_id, "loss") == [(1, 0.9), (2, 0.5)]


def test_no_path_and_no_address_of_a_server_is_a_parameter(config):
    config.train.mlflow_uri = "https://user:secret@example.org"
    assert "secret" not in str(run_parameters(config))
    assert not [key for key in run_parameters(config) if "dir" in key.split(".")[1]]
