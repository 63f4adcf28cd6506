"""What a run ran on: versions, engine, processor, seed, code and data; written beside its results."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.files import write_text
from flexunet.machine import processor_name
from flexunet.version import __version__, installed_versions

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_PACKAGES = (
    "keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python-headless", "scipy"
)  # fmt: skip


def describe_environment(config: Config, **more: Any) -> dict[str, Any]:
    """Versions, engine, machine, seed and commit of this run, and whatever else the caller knows of it."""
    return {
        "flexunet": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "engine": os.environ.get("KERAS_BACKEND"),
        "packages": installed_versions(_PACKAGES),
        "git_commit": _git_commit(config.source.parent if config.source else Path.cwd()),
        "configuration": str(config.source) if config.source else None,
        "seed": config.train.seed,
        **more,
    }


def write_environment(path: Path, environment: dict[str, Any]) -> None:
    """Write `environment.json` whole or not at all."""
    write_text(path, json.dumps(environment, indent=2, default=str) + "\n")


def _git_commit(folder: Path) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
