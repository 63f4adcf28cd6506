"""What a plan depends on in a machine, told without starting an engine."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flexunet.training.memory import machine_bytes

_GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """The machine that a model is to be trained on.

    Attributes:
        cores: Processors that this process may use.
        memory: Physical memory in GiB; None where the system does not tell.
        has_gpu: Whether an NVIDIA driver shows a device; whether an engine can use it is not known before it
            starts.
    """

    cores: int
    memory: float | None
    has_gpu: bool

    def document(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def this_machine() -> Machine:
    """The machine at hand."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = machine_bytes()
    devices = Path("/proc/driver/nvidia/gpus")
    has_gpu = any(devices.iterdir()) if devices.is_dir() else shutil.which("nvidia-smi") is not None
    return Machine(cores, round(memory / _GIB, 1) if memory else None, has_gpu)
