"""What of FlexUNet works on this machine: engines, their devices, extras; and what mends a gap."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from flexunet.extras import ENGINES, install_command, installed_engines
from flexunet.machine import processor_name, this_machine
from flexunet.progress import Progress, silent
from flexunet.version import __version__

# An engine reads its libraries from disk, on a busy machine slowly.
_START_SECONDS = 180
# Extras that bring other extras, or the tools of our own tests.
_COLLECTIONS = {"all", "test"}
_SEES = """
import json
from flexunet.models.engine import start_engine
engine = start_engine()
import keras
from flexunet.models.precision import choose_precision
devices = {
    "tensorflow": lambda e: [f"{d.device_type} {d.name}" for d in e.config.list_physical_devices()],
    "jax": lambda e: [f"{d.platform} {d.device_kind}" for d in e.devices()],
    "torch": lambda e: ["cpu", *(e.cuda.get_device_name(n) for n in range(e.cuda.device_count()))],
}[engine](__import__(engine))
total = float(keras.ops.sum(keras.ops.ones((3, 4))))
print(json.dumps({"devices": devices, "precision": choose_precision("auto")[1], "sum": total}))
"""


@dataclass(frozen=True)
class EngineState:
    """An engine of Keras on this machine.

    Attributes:
        name: "tensorflow", "jax" or "torch".
        version: Of its package; None where it is not installed.
        chosen: Whether a command takes it, as things are.
        devices: What it computes on; None where it was not started.
        precision: The number format of training and why; None where it was not started.
        problem: Why it does not start; "" where it does, or was not started.
    """

    name: str
    version: str | None
    chosen: bool = False
    devices: list[str] | None = None
    precision: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class ExtraState:
    """An extra of pyproject.toml on this machine.

    Attributes:
        name: Its name.
        missing: Its packages that are not installed, or have a version that does not fit.
        command: What installs them; "" where nothing is missing.
    """

    name: str
    missing: list[str]
    command: str


@dataclass(frozen=True)
class Installation:
    """What `flexunet doctor` tells.

    Attributes:
        flexunet: Version of FlexUNet.
        python: Version of Python.
        platform: The operating system.
        processor: Name of the processor.
        machine: Cores, memory in GiB, whether an NVIDIA driver shows a device.
        settings: Environment variables that change what engines do, where they are set.
        engines: The engines.
        extras: The extras.
        problems: What stops work, each with the command that mends it.
    """

    flexunet: str
    python: str
    platform: str
    processor: str
    machine: dict[str, Any]
    settings: dict[str, str]
    engines: list[EngineState]
    extras: list[ExtraState]
    problems: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


_SETTINGS = (
    "KERAS_BACKEND",
    "KERAS_HOME",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "XLA_FLAGS",
    "LD_PRELOAD",
)


def look_at_installation(*, start: bool = True, progress: Progress = silent) -> Installation:
    """See what works.

    Args:
        start: Whether each engine is started, in a process of its own, to see its devices.
        progress: Told which engine is being started.
    """
    installed = installed_engines()
    wanted = os.environ.get("KERAS_BACKEND") or (installed[0] if installed else "")
    engines = []
    for number, name in enumerate(ENGINES):
        engines.append(
            _engine(name, chosen=name == wanted, start=start)
            if name in installed
            else EngineState(name, None, name == wanted)
        )
        if start:
            progress("start engines", number + 1, len(ENGINES), "")
    return Installation(
        flexunet=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor_name(),
        machine=this_machine().document(),
        settings={name: os.environ[name] for name in _SETTINGS if name in os.environ},
        engines=engines,
        extras=_extras(),
        problems=_problems(engines, wanted),
    )


def _engine(name: str, *, chosen: bool, start: bool) -> EngineState:
    state = EngineState(name, version_of(name), chosen)
    if not start:
        return state
    environment = os.environ | {"KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        answer = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _SEES],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return EngineState(
            name, state.version, chosen, problem=f"it did not start within {_START_SECONDS} seconds"
        )
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or [f"it ended with exit code {answer.returncode}"]
        return EngineState(name, state.version, chosen, problem=lines[-1])
    seen = json.loads(answer.stdout.strip().splitlines()[-1])
    problem = "" if seen["sum"] == 12 else f"it adds twelve ones to {seen['sum']}"
    return EngineState(name, state.version, chosen, seen["devices"], seen["precision"], problem)


def version_of(module: str) -> str | None:
    """Version of the package that brings a module (TensorFlow has several); none where it is not there."""
    for package in _packages_of_modules().get(module, []):
        return metadata.version(package)
    return None


@cache
def _packages_of_modules() -> Mapping[str, list[str]]:
    # Looks through all that is installed: once a process is enough.
    return metadata.packages_distributions()


def _extras() -> list[ExtraState]:
    """The extras; none where FlexUNet runs from a folder of sources and has no list of them."""
    try:
        names = metadata.metadata("flexunet").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
    states = []
    for name in sorted(set(names) - _COLLECTIONS):
        missing = missing_of("flexunet", name)
        states.append(ExtraState(name, missing, install_command(name) if missing else ""))
    return states


def missing_of(package: str, extra: str) -> list[str]:
    """The packages that an extra of a package brings and that are not there, or do not fit.

    An extra of a required package is looked into (`jax[cuda12]`); what FlexUNet's own extras bring by each
    other is told where it belongs.

    Returns:
        Each as "name" or "name 1.0 (needs >=2)", in the order of the metadata.
    """
    missing = []
    for text in metadata.requires(package) or []:
        each = Requirement(text)
        if each.marker is None or not each.marker.evaluate({"extra": extra}):
            continue
        if each.marker.evaluate({"extra": ""}) or _plain(each.name) == "flexunet":
            continue
        try:
            version = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            missing.append(each.name)
            continue
        if not each.specifier.contains(version, prereleases=True):
            missing.append(f"{each.name} {version} (needs {each.specifier})")
        for further in sorted(each.extras):
            missing += missing_of(each.name, further)
    return missing


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _problems(engines: list[EngineState], wanted: str) -> list[str]:
    if not any(engine.version for engine in engines):
        return [
            f"no engine is installed, so nothing can be trained or predicted: {install_command('tensorflow')}"
        ]
    chosen = next((engine for engine in engines if engine.chosen), None)
    if chosen is None:
        return [
            f"KERAS_BACKEND is '{wanted}'; FlexUNet runs on {', '.join(ENGINES)}: set it to one of these, "
            "or unset it"
        ]
    if chosen.version is None:
        return [
            f"KERAS_BACKEND asks for {wanted}, which is not installed: {install_command(wanted)}, or unset it"
        ]
    if chosen.problem:
        return [
            f"{chosen.name} {chosen.version} does not start: {chosen.problem}. Install it again with "
            f"{install_command(chosen.name)}, or choose another engine with KERAS_BACKEND"
        ]
    return []
