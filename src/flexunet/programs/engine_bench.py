"""Which engine and precision train a configuration fastest on this machine: some steps of each, in turn.

No engine is the fastest everywhere: it depends on the processor, its instructions and the model. The answer
is kept in the user's cache folder, for the machine, the model and the versions of the engines, so that
`train` can name an engine that is faster than the one it uses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from flexunet.data.dataset.digests import digest_of_text
from flexunet.errors import InputError
from flexunet.extras import ENGINES, installed_engines
from flexunet.files import write_text
from flexunet.machine import BFLOAT16_FLAGS, processor_flags, processor_name, this_machine, usable_flags
from flexunet.programs.installation import version_of
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_LONGEST_S = 600
# Below this, two measurements of one engine differ as much.
_WORTH_NAMING = 1.15
_TIMES = """
import json, sys
from flexunet.models.engine import start_engine
start_engine()
from flexunet.config.files import load_config
from flexunet.training.timing import seconds_on_noise
path, *settings = sys.argv[1:]
print(json.dumps(seconds_on_noise(load_config(path, settings))))
"""


@dataclass(frozen=True)
class EngineTime:
    """A training step of one engine in one precision.

    Attributes:
        engine: "tensorflow", "jax" or "torch".
        precision: Name of a precision of `[train] precision`.
        seconds: Median of a step; none where it failed.
        problem: Why it failed.
    """

    engine: str
    precision: str
    seconds: float | None = None
    problem: str = ""


def time_engines(
    config: Config,
    source: Path,
    settings: Sequence[str] = (),
    *,
    engines: Sequence[str] = ENGINES,
    progress: Progress = silent,
) -> list[EngineTime]:
    """Time training steps of a configuration on batches of noise, and keep the answer.

    Args:
        config: The configuration.
        source: Its file, for the processes that time, one each.
        settings: What is set beside the file, as `--set` takes it.
        engines: Which engines, if they are installed.
        progress: Told which is timed.

    Returns:
        The fastest first, then those that failed.
    """
    arms = [
        (engine, precision)
        for engine in engines
        if engine in installed_engines()
        for precision in _precisions()
    ]
    times = []
    for number, (engine, precision) in enumerate(arms):
        progress("engines timed", number, len(arms), f"{engine}, {precision}")
        times.append(_time(engine, precision, source, settings))
    progress("engines timed", len(arms), len(arms), "")
    times.sort(key=lambda time: (time.seconds is None, time.seconds))
    with suppress(InputError, OSError):  # what cannot be kept is timed again
        write_text(_kept(config), json.dumps([asdict(time) for time in times]))
    return times


def faster_engine(config: Config, engine: str) -> str | None:
    """A sentence that names an engine which was clearly faster here, of the same model; or none.

    Args:
        config: The configuration that is about to be trained.
        engine: What it is trained with.
    """
    try:
        times = [EngineTime(**each) for each in json.loads(_kept(config).read_bytes())]
    except (OSError, ValueError, TypeError):
        return None
    best = {time.engine: time.seconds for time in reversed(times) if time.seconds}
    if engine not in best or not best:
        return None
    first = min(best, key=lambda name: best[name])
    ratio = best[engine] / best[first]
    if ratio < _WORTH_NAMING:
        return None
    return (
        f"{first} made a step {ratio:.1f} times as fast as {engine} with this model on this machine "
        f"(flexunet doctor --bench): set KERAS_BACKEND={first} to use it"
    )


def _precisions() -> Iterator[str]:
    yield "float32"
    # What the processor emulates is slower by far, and not worth minutes of waiting.
    if set(BFLOAT16_FLAGS) & usable_flags(processor_flags(), os.environ) or this_machine().has_gpu:
        yield "mixed_bfloat16"


def _time(engine: str, precision: str, source: Path, settings: Sequence[str]) -> EngineTime:
    own = [*settings, f"train.precision={precision!r}"]
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _TIMES, str(source), *own],
            env=os.environ | {"KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return EngineTime(engine, precision, problem=f"no answer within {_LONGEST_S} seconds")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return EngineTime(engine, precision, problem=lines[-1][:200])
    return EngineTime(engine, precision, float(json.loads(done.stdout.strip().splitlines()[-1])))


def _kept(config: Config) -> Path:
    """Where the answer for a configuration is kept."""
    told: list[Any] = [
        processor_name(),
        this_machine().document(),
        os.environ.get("ONEDNN_MAX_CPU_ISA"),
        [version_of(engine) for engine in ENGINES],
        config.model.model_dump(mode="json"),
        config.train.batch_size,
    ]
    return user_cache_path("flexunet") / "engines" / f"{digest_of_text(json.dumps(told))}.json"
