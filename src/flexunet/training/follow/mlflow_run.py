"""Parameters and figures of a run in MLflow: `[train] mlflow = true`.

By default they go into the file `mlflow.db` of the run folder, and nothing leaves the machine: MLflow's
telemetry is switched off, and its environment variables for a tracking server count for nothing. A server
gets them only where `[train] mlflow_uri` names one. Images are never sent.

<run_dir>/mlflow_run.json   which run of MLflow this one is, so that a resumed run goes on in it
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import ConfigError
from flexunet.extras import import_extra
from flexunet.files import write_text
from flexunet.run_folder import RunFolder
from flexunet.training.follow.history import History

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from flexunet.config.schema import Config

_LONGEST = 500  # characters of a parameter
_PASSWORD = re.compile(r"//[^/\s]*@")  # with the user's name before it


def require_mlflow() -> None:
    """Refuse `[train] mlflow = true` where its libraries are missing. Telemetry is off from here on.

    Raises:
        ConfigError: naming the extra that installs them.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # A server that is gone must not hold up the training: the next epoch sends what is missing.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    import_extra(
        "mlflow",
        "alembic",
        "sqlalchemy",
        extra="mlflow",
        needed_by="[train] mlflow = true",
        error=ConfigError,
        otherwise=", or set it to false",
    )
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class LogToMLflow(keras.callbacks.Callback):
    """Log the configuration once and the figures after every epoch; a step is an epoch, counted from 1.

    What MLflow has of the run already is not logged again, and what it lacks of earlier epochs is.

    Args:
        config: The configuration of the run.
        history: Figures of the run's epochs; complete when this callback is told of an epoch.
        goes_on: Whether the run goes on from a checkpoint, and so in its run of MLflow.
        notes: Gets a sentence if the tracking server does not answer in the middle of the run.
    """

    def __init__(self, config: Config, history: History, *, goes_on: bool, notes: list[str]):
        super().__init__()
        self.config = config
        self.history = history
        self.goes_on = goes_on
        self.notes = notes
        self.client: MlflowClient | None = None
        self.run_id = ""

    @property
    def uri(self) -> str:
        """The tracking server."""
        local = RunFolder.of(self.config).mlflow_database.absolute().as_posix()
        return self.config.train.mlflow_uri or f"sqlite:///{local}"

    @property
    def server(self) -> str:
        """The same for messages, without the password that it may hold."""
        return _PASSWORD.sub("//", self.uri)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Open the run of MLflow before the first step, so that what is wrong with it costs no time."""
        if self.client is not None:
            return
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            self.client = MlflowClient(tracking_uri=self.uri)
            self.run_id = self._begin(self.client)
        except MlflowException as error:
            raise ConfigError(
                f"[train] mlflow: {self.server} cannot be used: {_first_line(error)}. Start the server, "
                "correct mlflow_uri, or set mlflow = false."
            ) from error

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log what MLflow lacks."""
        from mlflow.exceptions import MlflowException

        try:
            self._log_figures(epoch + 1)
        except MlflowException as error:
            note = f"MLflow lacks epochs from {epoch + 1} on: {self.server} said {_first_line(error)}"
            if not any(known.startswith("MLflow lacks") for known in self.notes):
                self.notes.append(note)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Tell MLflow that the run has come to its end."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_terminated(self.run_id)
        except MlflowException as error:
            self.notes.append(f"MLflow lists the run as unfinished: {self.server} said {_first_line(error)}")

    @property
    def _client(self) -> MlflowClient:
        assert self.client is not None  # noqa: S101 - an epoch began
        return self.client

    def _begin(self, client: MlflowClient) -> str:
        """The run of MLflow: the one that this run is already, or a new one."""
        from mlflow.exceptions import MlflowException

        known = self._known()
        if known:
            try:
                status = client.get_run(known).info.status
            except MlflowException:
                known = None  # another server now, or somebody deleted it
            else:
                if self.goes_on:
                    client.update_run(known, status="RUNNING")
                    return known
                if status == "RUNNING":
                    client.set_terminated(known, "KILLED")
        return self._create(client)

    def _create(self, client: MlflowClient) -> str:
        from mlflow.entities import Param, RunTag

        name = self.config.train.mlflow_experiment
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        run = client.create_run(number, run_name=self.config.run_dir.resolve().name)
        parameters = [Param(key, value[:_LONGEST]) for key, value in run_parameters(self.config).items()]
        client.log_batch(run.info.run_id, params=parameters, tags=[RunTag("engine", keras.config.backend())])
        about = {"tracking_uri": self.uri, "experiment": name, "run_id": run.info.run_id}
        write_text(RunFolder.of(self.config).mlflow_run, json.dumps(about, indent=2) + "\n")
        return run.info.run_id

    def _known(self) -> str | None:
        """The run of MLflow that this run folder is, if it is one on this server."""
        try:
            about = json.loads((RunFolder.of(self.config).mlflow_run).read_text(encoding="utf-8"))
            return str(about["run_id"]) if about["tracking_uri"] == self.uri else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _log_figures(self, epochs: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = []
        for name, values in self.history.epochs.items():
            key = "learning_rate" if name == "lr" else name
            logged = self._client.get_metric_history(self.run_id, key)
            first = max((metric.step for metric in logged), default=0)
            metrics += [
                Metric(key, values[step], now, step + 1)
                for step in range(first, epochs)
                if math.isfinite(values[step])
            ]
        self._client.log_batch(self.run_id, metrics=metrics)


def run_parameters(config: Config) -> dict[str, str]:
    """What describes a run: [model] and [train], and other keys that are not as by default; no paths."""
    parameters = {}
    defaults = type(config)()
    for section, content in config.sections():
        for key, value in content:
            of_run = section in ("model", "train")
            if content.is_path(key) or key.startswith("mlflow"):
                continue
            if of_run or value != getattr(getattr(defaults, section), key):
                parameters[f"{section}.{key}"] = str(value)
    return parameters


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return _PASSWORD.sub("//", line)
