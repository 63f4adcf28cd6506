"""The files of a run, each by its name; found without starting an engine.

config.toml, environment.json     the configuration as resolved; versions, engine, seed
training_appearance.json          what the training images look like, in a few figures
drift_reference.json              measures of training and validation images, by the first `flexunet drift`
models/best_model.*               the best model, and exported.* in other forms of file
checkpoints/                      from which a stopped run goes on; the lock
eval/, history.json               curves and their values
pictures.npz                      what the training and validation images look like
epoch_change_infer/               masks of chosen images after every epoch
evaluation/, calibration.json     scores, tables, report; temperature, threshold, post-processing
exported/ENGINE/                  the model for another engine
tensorboard/, mlflow.db           what other programs follow a run by
break_training                    made by a user, ends the run
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import PathError, WeightsError, typed
from flexunet.files import impostor

if TYPE_CHECKING:
    from flexunet.config.schema import Config

RUN_CONFIG = "config.toml"
HISTORY = "history.json"
CALIBRATION, ENSEMBLE_CALIBRATION = "calibration.json", "calibration_of_ensemble.json"
STOP_FILE = "break_training"
CARD = "MODEL_CARD.md"
PUBLISHED_SCORES = "evaluation.csv"
# An evaluation; `flexunet score --out` writes one outside of a run.
SCORES, REPORT = "scores.json", "report.html"
COMPARISON = "comparison.html"
PER_IMAGE, PER_LESION = "per_image.csv", "per_lesion.csv"
MODEL_FILE = "best_model.keras"
WEIGHTS_FILE = "best_model.weights.h5"
# What the published system writes, whatever its save_weights_only says.
PUBLISHED_FILE = "best_model.h5"


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a run lie.

    Attributes:
        path: The run folder.
        models: Folder of the best model, `[train] model_dir`.
        curves: Folder of the curves, `[train] eval_dir`.
        epoch_predictions: Folder of the masks of every epoch, `[train] epoch_change_infer_dir`.
        evaluation: Folder of the evaluation, `[evaluate] output_dir`.
        weights_only: Whether the best model is saved without its architecture.
        source: The file that the run is configured by, for messages.
    """

    path: Path
    models: Path
    curves: Path
    epoch_predictions: Path
    evaluation: Path
    weights_only: bool = False
    source: Path | None = None

    @classmethod
    def of(cls, config: Config) -> RunFolder:
        """The run folder of a configuration."""
        return cls(
            config.run_dir,
            config.output(config.train.model_dir),
            config.output(config.train.eval_dir),
            _output(config, config.train.epoch_change_infer_dir, "epoch_change_infer"),
            _output(config, config.evaluate.output_dir, "evaluation"),
            config.train.save_weights_only,
            config.source,
        )

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """A run folder whose configuration says nothing else than the default of its folders."""
        return cls(path, path / "models", path / "eval", path / "epoch_change_infer", path / "evaluation")

    @property
    def config(self) -> Path:
        """The configuration as resolved."""
        return self.path / RUN_CONFIG

    @property
    def environment(self) -> Path:
        """Versions, engine, seed and data of the training."""
        return self.path / "environment.json"

    @property
    def appearance(self) -> Path:
        """What the training images look like, to tell pictures that are not like them."""
        return self.path / "training_appearance.json"

    @property
    def drift_reference(self) -> Path:
        """Figures of training and validation images, that later images are compared with."""
        return self.path / "drift_reference.json"

    @property
    def history(self) -> Path:
        """Loss and metrics of every epoch."""
        return self.curves.parent / HISTORY

    @property
    def pictures(self) -> Path:
        """What the training and validation images look like, so that copies of them are recognised."""
        return self.path / "pictures.npz"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, and of the lock."""
        return self.path / "checkpoints"

    @property
    def stop_file(self) -> Path:
        """A file that a user makes to end the run after the present epoch."""
        return self.path / STOP_FILE

    @property
    def tensorboard(self) -> Path:
        """Folder of events."""
        return self.path / "tensorboard"

    @property
    def mlflow_run(self) -> Path:
        """Which run of MLflow is this one."""
        return self.path / "mlflow_run.json"

    @property
    def mlflow_database(self) -> Path:
        """Where runs are logged that `[train] mlflow_uri` sends nowhere else."""
        return self.path / "mlflow.db"

    @property
    def report(self) -> Path:
        """The page of the evaluation."""
        return self.evaluation / REPORT

    def export(self, engine: str) -> Path:
        """Folder of the export for an engine."""
        return self.path / "exported" / engine

    def exported_model(self, suffix: str) -> Path:
        """The best model in another form of file, `.h5` or `.keras`."""
        return self.models / f"exported{suffix}"

    def new_exported_model(self, form: str, out: Path | None = None) -> Path:
        """The file to which the best model is to be written in another form, "h5" or "keras".

        Raises:
            PathError: if the run has no model, form or name cannot be, or the file exists.
        """
        if form not in ("h5", "keras"):
            raise PathError(f"'{form}' is no form to export to: there are h5, keras.")
        path = out or self.exported_model(f".{form}")
        if path.suffix != f".{form}" or path.name.endswith(".weights.h5"):
            raise PathError(f"{path}: a file exported to {form} ends in .{form} (and not in .weights.h5).")
        if path.exists():
            raise PathError(f"{path} exists: give another name, so that nothing is overwritten.")
        self.find_model()
        return path

    def require_new(self) -> None:
        """Refuse to write a run over one that is there.

        Raises:
            PathError: if the folder holds a configuration or a model.
        """
        for there in (self.config, self.best_model):
            if there.exists():
                raise PathError(f"{there} exists: import into a new folder, so that no run is overwritten.")

    @property
    def best_model(self) -> Path:
        """Where training saves the best model: with its architecture, or weights alone."""
        return self.models / (WEIGHTS_FILE if self.weights_only else MODEL_FILE)

    def find_model(self) -> Path:
        """The best model, ours or the published system's.

        Raises:
            PathError: if there is none.
            WeightsError: if a web page or a Git-LFS pointer stands in its place.
        """
        candidates = [self.best_model]
        candidates += [self.models / name for name in (MODEL_FILE, WEIGHTS_FILE, PUBLISHED_FILE)]
        for path in candidates:
            if path.is_file():
                require_weights(path)
                return path
        folders = (self.models, self.models / "saved_model", self.models / "best_model")
        saved = next((folder for folder in folders if (folder / "saved_model.pb").is_file()), None)
        if saved is not None:
            raise PathError(
                f"{saved} is a TensorFlow SavedModel, which is not read. Load it with the program that wrote "
                f"it, save its weights (model.save_weights('{PUBLISHED_FILE}')), and put that file into "
                f"{self.models}."
            )
        raise PathError(
            f"no trained model in {self.models}: expected {MODEL_FILE}, {WEIGHTS_FILE} or {PUBLISHED_FILE} "
            f"there. Train one with `flexunet train {typed(self.source or 'CONFIG')}`, or point [train] "
            "model_dir at its folder."
        )


def require_weights(path: Path) -> None:
    """Refuse a weights file that is missing, or in whose place something else was downloaded.

    Raises:
        PathError: if there is nothing at the path.
        WeightsError: if a web page or a Git-LFS pointer stands there.
    """
    if not path.exists():
        raise PathError(f"no weights file {path}: check the path.")
    if what := impostor(path):
        raise WeightsError(f"{path} holds no weights: {what}.")


def _output(config: Config, text: str, default: str) -> Path:
    """An output folder; its default where an old file leaves the key empty, as not every run needs it."""
    return config.output(text) if text else config.run_dir / default


def runs_in(folder: Path) -> list[Path]:
    """The run folders inside a folder, such as the folds of a cross-validation, sorted by name."""
    return sorted(path.parent for path in folder.glob(f"*/{RUN_CONFIG}"))
