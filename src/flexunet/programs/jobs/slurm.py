"""A grid as array jobs of Slurm, and one job after them that gathers.

Every task goes on from its checkpoint: Slurm signals it before its time is up, it saves, ends, and is queued
again. Values in scripts are quoted or refused; nothing of a configuration is executed.

Source: sbatch(1) and slurm.conf(5) of Slurm 22.05.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from flexunet.errors import ConfigError, PathError
from flexunet.files import templates_of, write_text
from flexunet.programs.jobs.grid import Grid

USUAL_ARRAY_SIZE = 1001  # Slurm's own default of MaxArraySize; indices stay below it
# What sbatch may be told: letters, digits and the signs that its values are made of.
_VALUE = re.compile(r"[A-Za-z0-9_.,:=@*+/-]+")
SUBMIT, GATHER = "submit.sh", "gather.sbatch"


@dataclass(frozen=True)
class Resources:
    """What each task is given; None leaves it to the site.

    Attributes:
        partition: Name of the partition.
        account: Who pays.
        qos: Quality of service.
        time: Longest time of one stretch; the task goes on in a next one.
        memory: Memory of the machine.
        cpus: Processors.
        gpus: GPUs.
        at_once: Most tasks at a time.
        notice: Seconds between Slurm's signal and the end of the time.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str = "04:00:00"
    memory: str | None = None
    cpus: int = 4
    gpus: int = 0
    at_once: int | None = None
    notice: int = 120

    def check(self) -> None:
        """Refuse values that sbatch could take for something else.

        Raises:
            ConfigError: naming the first.
        """
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, str) and not _VALUE.fullmatch(value):
                raise ConfigError(
                    f"--{one.name} {value!r}: expected letters, digits and . , : = @ * + / - alone."
                )

    def directives(self) -> list[str]:
        """The options of sbatch, one each."""
        options = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "mem": self.memory,
            "gres": f"gpu:{self.gpus}" if self.gpus else None,
        }
        return [f"--{name}={value}" for name, value in options.items() if value]


def site_array_size() -> int | None:
    """`MaxArraySize` of the site, as scontrol tells it; None where there is no Slurm."""
    scontrol = shutil.which("scontrol")
    if scontrol is None:
        return None
    try:
        told = subprocess.run(  # noqa: S603 - the program that the path names, no other word of ours
            [scontrol, "show", "config"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", told, re.MULTILINE)
    return int(match.group(1)) if match else None


def write_slurm(
    grid: Grid,
    resources: Resources,
    *,
    array_size: int | None = None,
    python: str = sys.executable,
    setup: Path | None = None,
) -> Path:
    """Write the scripts of a grid into its folder.

    Args:
        grid: The grid.
        resources: What each task is given.
        array_size: The site's MaxArraySize; by default what `scontrol` says, else Slurm's own default.
        python: The interpreter that the jobs run.
        setup: A shell file that is read before it, such as one that loads modules.

    Returns:
        The script that submits them all.

    Raises:
        ConfigError: if a value cannot stand in a script.
        PathError: if the shell file is missing.
    """
    resources.check()
    size = array_size or site_array_size() or USUAL_ARRAY_SIZE
    if size < 2:
        raise ConfigError(f"--max-array {size}: expected 2 or more; indices go from 0 to one less.")
    if setup is not None and not setup.is_file():
        raise PathError(f"--setup {setup}: there is no such file.")
    if not python.isprintable():
        raise ConfigError(f"--python {python!r} has characters that no script should hold.")
    environment = templates_of("flexunet.programs.jobs")
    environment.autoescape = False  # these are no pages; `quoted` makes words of a shell
    environment.filters["quoted"] = lambda value: shlex.quote(str(value))
    facts = {
        "folder": grid.folder,
        "python": python,
        "setup": setup.absolute() if setup else None,
        "resources": resources,
    }
    arrays = []
    for place, first in enumerate(range(0, len(grid.tasks), size), start=1):
        count = min(size, len(grid.tasks) - first)
        name = f"train_{place}.sbatch"
        limit = f"%{resources.at_once}" if resources.at_once else ""
        text = environment.get_template("train.sbatch.jinja").render(
            **facts, first=first, array=f"0-{count - 1}{limit}"
        )
        write_text(grid.folder / name, text)
        arrays.append(name)
    for old in set(grid.folder.glob("train_*.sbatch")) - {grid.folder / name for name in arrays}:
        old.unlink()  # of an array limit that is no longer
    write_text(grid.folder / GATHER, environment.get_template("gather.sbatch.jinja").render(**facts))
    submit = grid.folder / SUBMIT
    write_text(
        submit, environment.get_template("submit.sh.jinja").render(**facts, arrays=arrays, gather=GATHER)
    )
    submit.chmod(0o755)
    return submit
