"""What predicts where `[infer] engine` is "auto": an export that gives the same masks, or Keras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from flexunet.errors import InputError
from flexunet.extras import is_installed
from flexunet.inference.predict.calibration import member_configs
from flexunet.inference.runtimes.bundle import PARITY, bundle_folder, find_bundle, has_bundle
from flexunet.machine import this_machine

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Forms that may be chosen, the faster one first, with the library that runs each. Exports in INT8 are faster
# still, and change masks; LiteRT is for other machines.
_LIBRARIES = {"openvino": "openvino", "onnx": "onnxruntime"}


class Choice(NamedTuple):
    """What predicts, and why.

    Attributes:
        engine: "keras", "openvino" or "onnx".
        reason: Half a sentence.
        may_export: Whether an export would be used if there were one.
    """

    engine: str
    reason: str
    may_export: bool = False


def choose_engine(config: Config) -> Choice:
    """What predicts fastest here without a change of the masks.

    An export is taken where it is of the weights that the run has now, where it predicted as the run does
    when it was written, and where its library is installed. It then computes in float32, as Keras does. Of
    an ensemble each run needs one.

    Args:
        config: The configuration of a trained run, whatever its `[infer] engine`.
    """
    if config.infer.monte_carlo:
        return Choice("keras", "[infer] monte_carlo needs the dropout of the run's own model")
    if config.infer.precision not in ("auto", "float32"):
        return Choice("keras", f"[infer] precision = '{config.infer.precision}' is set")
    if this_machine().has_gpu:
        return Choice("keras", "this machine has a GPU, which exports do not use")
    runs = member_configs(config)
    refused = ""
    for form, library in _LIBRARIES.items():
        if not all(has_bundle(run, form) for run in runs):
            continue
        problem = f"{library} is not installed" if not is_installed(library) else _problem(runs, form)
        if not problem:
            return Choice(form, "the run has an export, which predicts the same faster")
        refused = refused or f"its export to {form} is not used: {problem}"
    if refused:
        return Choice("keras", refused)
    if is_installed("openvino"):
        return Choice("keras", "the run has no export", may_export=True)
    return Choice("keras", "the run has no export, and OpenVINO is not installed")


def with_engine(config: Config) -> Config:
    """The configuration with `[infer] engine` = "auto" replaced by what it means here and now."""
    if config.infer.engine != "auto":
        return config
    engine = choose_engine(config).engine
    precision = config.infer.precision if engine == "keras" else "float32"
    infer = config.infer.model_copy(update={"engine": engine, "precision": precision})
    return config.model_copy(update={"infer": infer})


def as_predicted(config: Config, by: Config) -> Config:
    """The configuration with the engine and the number format of another: that of what predicts."""
    chosen = {"engine": by.infer.engine, "precision": by.infer.precision}
    return config.model_copy(update={"infer": config.infer.model_copy(update=chosen)})


def _problem(runs: list[Config], form: str) -> str:
    """Why the exports of the runs are not used; empty if they are."""
    for run in runs:
        try:
            find_bundle(run, form)
            report = json.loads((bundle_folder(run, form) / PARITY).read_bytes())
        except (InputError, OSError, ValueError) as error:
            return f"{error}"
        if not (isinstance(report, dict) and report.get("passed") is True):
            return "it was written with --force, and does not predict as the run does"
    return ""
