"""Export a run: convert its model, quantise it, prove that it predicts the same, and only then write it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.files import save_config
from flexunet.config.run_sections import InferSection
from flexunet.data.dataset.digests import digest_of
from flexunet.deployment.convert import convert
from flexunet.deployment.parity import TOLERANCE, Parity, compare
from flexunet.deployment.parity_table import parity_table
from flexunet.deployment.quantise import Quantised, quantise
from flexunet.deployment.sample import Sample, take_sample
from flexunet.errors import ConfigError, ParityError
from flexunet.files import replacing, write_text
from flexunet.inference.predict.calibration import Calibration, identity_of, identity_of_weights
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.runtimes.bundle import (
    MANIFEST,
    MODELS,
    PARITY,
    Bundle,
    new_export_folder,
    weights_digest,
)
from flexunet.inference.runtimes.load import PRECISIONS, best_precision, open_bundle
from flexunet.models.trained import load_trained_model
from flexunet.progress import Progress, silent
from flexunet.run_folder import RUN_CONFIG
from flexunet.version import __version__, installed_versions

if TYPE_CHECKING:
    from flexunet.config.schema import Config

QUANTISED = ("openvino", "onnx")
PARITY_TABLE = "parity.md"
# Enough for a mean to settle; the run's own model would take hours for all of a large split.
PARITY_IMAGES = 200
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "nncf", "onnx", "tf2onnx", "onnxruntime")


@dataclass(frozen=True)
class Export:
    """An exported model, and its parity report; none for a SavedModel, which is not run here."""

    bundle: Bundle
    report: dict[str, Any] | None

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        about = {"form": self.bundle.form, "int8": self.bundle.int8, "precision": self.bundle.precision}
        return about | {"path": str(self.bundle.folder), "parity": self.report}


def export_bundle(
    config: Config,
    form: str,
    *,
    int8: bool = False,
    out: Path | None = None,
    force: bool = False,
    tolerance: float = TOLERANCE,
    progress: Progress = silent,
) -> Export:
    """Write a run's best model for another runtime.

    Args:
        config: Configuration of the run. Its validation split is calibrated with and compared on;
            `[infer] precision` is the number format of an OpenVINO export; auto: bfloat16 where the processor
            multiplies it and Dice does not mind, else float32.
        form: openvino, onnx, litert or saved_model.
        int8: Whether to quantise it to 8-bit integers.
        out: Folder to write; none: `exported/FORM` in the run, with `-int8` where it is quantised.
        force: Whether to write a model that changes Dice by more than the tolerance.
        tolerance: The most that either Dice of the foreground may change.
        progress: Told how far each stage is.

    Returns:
        The export.

    Raises:
        ConfigError: if the form cannot be quantised, or there are no images to do it with.
        PathError: if the folder exists, or the run has no model.
        EngineError: if a library is missing, or the model cannot be converted.
        ParityError: if the export does not predict as the run does; nothing is written then.
    """
    if int8 and form not in QUANTISED:
        raise ConfigError(f"--int8: {form} is not quantised here; {' and '.join(QUANTISED)} are.")
    folder = new_export_folder(config, form, int8=int8, out=out)
    sample = take_sample(config, PARITY_IMAGES)
    if int8 and sample.why_not:
        raise ConfigError(
            f"--int8 calibrates on the validation split, which cannot be used: {sample.why_not}"
        )
    run = Predictor(load_trained_model(config, precision="float32"), _plain(config), plain=True)
    with replacing(folder) as temporary:
        temporary.mkdir()
        work = _Work(config, run, sample, form, int8, temporary, tolerance, progress)
        report = work.make(force)
        save_config(work.standalone_config(), temporary / RUN_CONFIG)
        work.keep_fit()
        if report is not None:
            write_text(temporary / PARITY, json.dumps(report, indent=2) + "\n")
            write_text(temporary / PARITY_TABLE, parity_table(report))
        bundle = work.bundle().model_copy(update={"files": _digests(temporary)})
        write_text(temporary / MANIFEST, bundle.model_dump_json(indent=2) + "\n")
    return Export(bundle.at(folder), report)


@dataclass
class _Work:
    """One export on its way."""

    config: Config
    run: Predictor
    sample: Sample
    form: str
    int8: bool
    folder: Path
    tolerance: float
    progress: Progress
    precision: str = "float32"
    weights: str | None = None
    known: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.weights = weights_digest(self.config)
        if self.form == "openvino":
            wanted = self.config.infer.precision
            self.precision = best_precision() if wanted == "auto" else PRECISIONS[wanted]

    def may_choose(self) -> bool:
        """Whether the number format is ours to choose."""
        return self.config.infer.precision == "auto"

    def attempt(self, parity: Parity) -> dict[str, Any]:
        """What the report says of an attempt that changed Dice too much."""
        return {
            "int8": self.int8,
            "precision": self.precision,
            "dice_change": parity.document()["dice_change"],
        }

    def make(self, force: bool) -> dict[str, Any] | None:
        """Make the model's file; its parity report.

        Raises:
            ParityError: if Dice changes by more than the tolerance, and that is not forced.
        """
        floating = self.folder / "floating" if self.int8 else self.folder
        floating.mkdir(exist_ok=True)
        stage = f"converting to {self.form}"
        self.progress(stage, 0, 1)
        convert(self.config, self.run.model, self.form, floating)
        self.progress(stage, 1, 1)
        if self.form == "saved_model":
            return None
        kept: list[str] = []
        attempts: list[dict[str, Any]] = []
        if self.int8:
            self.quantise(floating)
        parity = self.measure()
        if parity.dice_change > self.tolerance and self.precision == "bfloat16" and self.may_choose():
            attempts.append(self.attempt(parity))
            self.precision = "float32"
            parity = self.measure()
        searches = self.int8 and self.form == "openvino" and not force
        if parity.dice_change > self.tolerance and searches and self.normalises():
            attempts.append(self.attempt(parity))
            self.quantise(floating, plain_normalisation=True)
            parity = self.measure()
        if parity.dice_change > self.tolerance and searches:
            attempts.append(self.attempt(parity))
            kept, layers = self.quantise(floating, self.score)
            if len(kept) == layers:
                # What passes is then the model in floating point, which nobody asked for.
                raise ParityError(self.refusal(parity, " No layer could stay in INT8 within that."))
            parity = self.measure()
        if self.int8:
            shutil.rmtree(floating)
        passed = parity.dice_change <= self.tolerance
        if not (passed or force):
            raise ParityError(self.refusal(parity))
        about = {"form": self.form, "int8": self.int8, "precision": self.precision}
        about |= {"images_are": self.sample.what, "tolerance": self.tolerance, "passed": passed}
        return about | parity.document() | {"kept_in_floating_point": kept, "attempts_before": attempts}

    def normalises(self) -> bool:
        """Whether the model has normalisation layers that an export keeps as such."""
        model = self.config.model
        return model.normalization and model.normalization_layer != "batch"

    def quantise(self, floating: Path, score: Any = None, *, plain_normalisation: bool = False) -> Quantised:
        """Quantise the converted model; what is kept in floating point."""
        stage = "quantising" + (", layer by layer" if score else "")
        self.progress(stage, 0, 1)
        found = quantise(
            self.form,
            floating / MODELS[self.form],
            self.folder / MODELS[self.form],
            self.sample.items,
            partial(self.sample.prepare, self.run),
            architecture=self.config.model.model,
            score=score,
            tolerance=self.tolerance,
            plain_normalisation=plain_normalisation,
        )
        self.progress(stage, 1, 1)
        return found

    def score(self, runtime: Any, items: Any) -> float:
        """How well a model on its way keeps to the run's: 1 less what it changes Dice by."""
        export = Predictor(runtime, self.run.config, plain=True)
        return 1.0 - min(self.sample.dice_change(self.run, export, items, self.known), 1.0)

    def measure(self) -> Parity:
        """Compare what has been made with the run's own model."""
        export = Predictor(open_bundle(self.bundle()), self.run.config, plain=True)
        return compare(self.run, export, self.sample.items, self.sample.read, self.progress)

    def bundle(self) -> Bundle:
        """The bundle as it stands, its files not digested yet."""
        model = self.config.model
        size = (model.image_height, model.image_width)
        return Bundle.model_validate(
            {
                "form": self.form,
                "int8": self.int8,
                "precision": self.precision,
                "weights": self.weights,
                "input_shape": (*size, model.image_channels),
                "output_shape": (*size, model.num_classes),
                "flexunet": __version__,
                "packages": installed_versions(_PACKAGES),
                "files": {},
            }
        ).at(self.folder)

    def standalone_config(self) -> Config:
        """The run's configuration such that the bundle can be predicted with wherever it lies."""
        copy = self.config.model_copy(deep=True)
        copy.train.run_dir = str(self.folder.resolve())
        if self.form != "saved_model":
            copy.infer = copy.infer.model_copy(update={"engine": self.bundle().engine, "precision": "auto"})
        return copy

    def keep_fit(self) -> None:
        """Take what the run has fitted along, so that the export decides as the run does."""
        stored = Calibration.read(self.config.run_dir)
        if stored is None or stored.weights != identity_of(self.config) or self.config.infer.ensemble:
            return
        weights = identity_of_weights([self.bundle().weights], self.config)
        replace(stored, weights=weights).write(self.folder)

    def refusal(self, parity: Parity, more: str = "") -> str:
        """What to say of a model that does not predict as its run does."""
        figures = parity.document()
        per_image, pooled = _arrow(figures["dice_per_image_mean"]), _arrow(figures["dice_pooled"])
        remedy = "Export without --int8, or add" if self.int8 else "Add"
        return (
            f"the export to {self.form}{' in INT8' if self.int8 else ''} changes the Dice of the foreground "
            f"by {parity.dice_change:.4f}, above {self.tolerance}: per image {per_image}, pooled {pooled} "
            f"on {parity.images} images ({parity.truth}).{more} Nothing was written. {remedy} --force if "
            "that is good enough."
        )


def _arrow(dice: dict[str, float | None]) -> str:
    said = ["none" if value is None else f"{value:.4f}" for value in dice.values()]
    return " -> ".join(said)


def _plain(config: Config) -> Config:
    """The configuration with predictions as the model makes them: no ensemble, no repetition, no rule."""
    return config.model_copy(update={"infer": InferSection(images_dir=config.infer.images_dir)})


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}
