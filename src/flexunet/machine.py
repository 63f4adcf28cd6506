"""The machine at hand: processor, memory, a GPU's driver; told without starting an engine."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_GIB = 2**30
_DRIVER = Path("/proc/driver/nvidia/gpus")
_PATIENCE = 20  # seconds; a driver that hangs is none
_PROCESSOR_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """What a model is trained on.

    Attributes:
        cores: Processors that this process may use.
        memory: Physical memory in GiB; None where the system does not tell.
        has_gpu: Whether an NVIDIA driver shows a device that this process may use; whether an engine can is
            not known before it starts.
        gpu_memory: Memory of the smallest such device in GiB; None where the driver does not tell.
    """

    cores: int
    memory: float | None
    has_gpu: bool
    gpu_memory: float | None = None

    def document(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def this_machine() -> Machine:
    """The machine at hand."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = memory_bytes()
    program = shutil.which("nvidia-smi")
    gpus = visible_gpus(program, os.environ.get("CUDA_VISIBLE_DEVICES"))
    known = [memory for memory in gpus if memory is not None]
    return Machine(
        cores, round(memory / _GIB, 1) if memory else None, bool(gpus), min(known) if known else None
    )


@functools.cache
def visible_gpus(program: str | None, visible: str | None) -> tuple[float | None, ...]:
    """The NVIDIA GPUs that a process may use: memory of each in GiB, None where it is not told.

    Args:
        program: `nvidia-smi`, which has to run and to list them; None where there is none, and the driver's
            files then tell how many there are.
        visible: `CUDA_VISIBLE_DEVICES`; None where it is not set.
    """
    if visible is not None and visible.strip() in ("", "-1"):
        return ()
    if program is None:
        gpus: list[float | None] = [None for _ in _DRIVER.iterdir()] if _DRIVER.is_dir() else []
    else:
        gpus = _listed(program)
    if visible is None:
        return tuple(gpus)
    # As CUDA reads it: what stands before the first index that no device has. Names are not resolved.
    chosen: list[float | None] = []
    for name in visible.split(","):
        if not name.strip().isdecimal():
            return tuple(gpus) if name.strip()[:3] in ("GPU", "MIG") else tuple(chosen)
        if int(name) >= len(gpus):
            break
        chosen.append(gpus[int(name)])
    return tuple(chosen)


def _listed(program: str) -> list[float | None]:
    """The GPUs that `nvidia-smi` lists, as in `visible_gpus`; none where it fails."""
    query = ["--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603
            [program, *query], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    told = [line.strip() for line in lines]
    # Where memory is not told, it says [N/A]; other words, such as "No devices were found", are no device.
    gpus = [each for each in told if each.isdecimal() or each.startswith("[")]
    return [round(int(each) / 1024, 1) if each.isdecimal() else None for each in gpus]


def memory_bytes() -> int | None:
    """Physical memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def processor_name() -> str:
    """What the system calls the processor."""
    return _processor_line(_PROCESSOR_FILE, "model name") or platform.processor() or platform.machine()


def processor_flags(path: str | Path = _PROCESSOR_FILE) -> frozenset[str]:
    """Instruction sets of the processor; empty where the system has no such file (Windows, macOS)."""
    return frozenset(_processor_line(Path(path), "flags", "features").split())


# Instruction sets that multiply bfloat16: AVX-512 BF16 and AMX on x86, BF16 on ARM, as Linux spells them.
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")
# Values of ONEDNN_MAX_CPU_ISA below the first that multiplies bfloat16.
_CAPS_WITHOUT_BFLOAT16 = (
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_MIC", "AVX512_MIC_4OPS"),
    *("AVX512_CORE", "AVX512_CORE_VNNI"),
)


def usable_flags(flags: frozenset[str], environment: Mapping[str, str]) -> frozenset[str]:
    """The instruction sets that oneDNN may use, which multiplies for TensorFlow, PyTorch and OpenVINO.

    Args:
        flags: Those of the processor.
        environment: `ONEDNN_MAX_CPU_ISA` (before: `DNNL_MAX_CPU_ISA`) caps them. A capped oneDNN has no
            convolution in bfloat16, not even an emulated one.
    """
    cap = environment.get("ONEDNN_MAX_CPU_ISA") or environment.get("DNNL_MAX_CPU_ISA") or ""
    if cap.upper() in _CAPS_WITHOUT_BFLOAT16:
        return flags - set(BFLOAT16_FLAGS)
    return flags


def _processor_line(path: Path, *names: str) -> str:
    """What the first line of one of the names says; "" where there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in names:
            return value.strip()
    return ""
