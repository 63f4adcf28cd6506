"""A grid of trainings over configurations, folds and seeds; each has a configuration and a run folder.

OUT/grid.json              the tasks
OUT/configs/NAME.toml      the configuration of each
OUT/runs/NAME/             its run folder
OUT/gathered/              what came of all of them
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.files import load_config, save_config
from flexunet.errors import ConfigError, PathError
from flexunet.files import write_text

if TYPE_CHECKING:
    from flexunet.config.schema import Config

SCHEMA = "flexunet.grid/1"
GRID = "grid.json"
_FOLD = re.compile(r"fold_\d+")
_FOLDERS = tuple(
    (section, key) for section in ("train", "valid", "test") for key in ("images_dir", "masks_dir")
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        number: Its number, from 0.
        experiment: Name of its configuration.
        fold: Number of its fold, from 1; None without folds.
        seed: Its seed.
    """

    number: int
    experiment: str
    fold: int | None
    seed: int

    @property
    def name(self) -> str:
        """Name of its configuration file and run folder."""
        fold = "" if self.fold is None else f"-fold_{self.fold}"
        return f"{self.experiment}{fold}-seed_{self.seed}"


@dataclass(frozen=True)
class Grid:
    """All tasks, and the folder that they lie in."""

    folder: Path
    tasks: tuple[Task, ...]

    @property
    def experiments(self) -> list[str]:
        """Names of the configurations, in order."""
        return list(dict.fromkeys(task.experiment for task in self.tasks))

    def config_file(self, task: Task) -> Path:
        """The configuration of a task."""
        return self.folder / "configs" / f"{task.name}.toml"

    def run_dir(self, task: Task) -> Path:
        """The run folder of a task."""
        return self.folder / "runs" / task.name

    @property
    def gathered(self) -> Path:
        """Folder of what came of all tasks."""
        return self.folder / "gathered"

    @classmethod
    def read(cls, folder: Path) -> Grid:
        """Read a grid.

        Raises:
            PathError: if there is none, or it has another form.
        """
        path = folder / GRID
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["schema"] != SCHEMA:
                raise ValueError(f"its form is {told['schema']}, this version reads {SCHEMA}")
            return cls(folder, tuple(Task(**task) for task in told["tasks"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PathError(
                f"{path} cannot be read ({error}). `flexunet cluster slurm` or `kubernetes` writes it."
            ) from error


def write_grid(
    files: Sequence[Path], out: Path, *, folds: int | None, seeds: int, overrides: Sequence[str] = ()
) -> Grid:
    """Write the configurations of all tasks, and the grid.

    Args:
        files: Configurations, or run folders.
        out: Folder of the grid.
        folds: Number of folds; the folders of the configurations must name one of them.
        seeds: Number of seeds; the first is that of the configuration.
        overrides: Settings for all of them.

    Raises:
        ConfigError: if two configurations have one name, or their folders name no fold.
        PathError: if a folder is missing, or another grid is in `out`.
    """
    out = out.absolute()
    _refuse_controls(out)
    tasks: list[Task] = []
    configs: list[Config] = []
    names = _names(files)
    for file, name in zip(files, names, strict=True):
        config = load_config(file, overrides)
        for fold in range(1, folds + 1) if folds else (None,):
            for seed in range(config.train.seed, config.train.seed + seeds):
                task = Task(len(tasks), name, fold, seed)
                run_dir = out / "runs" / task.name
                settings = [*_folders_of(config, fold), f"train.run_dir={run_dir.as_posix()!r}"]
                configs.append(load_config(file, [*overrides, *settings, f"train.seed={seed}"]))
                tasks.append(task)
    grid = Grid(out, tuple(tasks))
    if (out / GRID).exists() and Grid.read(out).tasks != grid.tasks:
        raise PathError(f"{out} holds another grid: give another --out, so that nothing is overwritten.")
    for task, config in zip(tasks, configs, strict=True):
        save_config(config, grid.config_file(task))
    (out / "logs").mkdir(exist_ok=True)
    document: dict[str, Any] = {"schema": SCHEMA, "tasks": [asdict(task) for task in tasks]}
    write_text(out / GRID, json.dumps(document, indent=2) + "\n")
    return grid


def _names(files: Sequence[Path]) -> list[str]:
    stems = [(file if file.is_dir() else file.with_suffix("")).absolute().name for file in files]
    names = [_NOT_IN_NAMES.sub("_", stem) or "run" for stem in stems]
    if len(set(names)) < len(names):
        raise ConfigError(f"the configurations are called {', '.join(names)}: give each a name of its own.")
    return names


def _folders_of(config: Config, fold: int | None) -> Iterator[str]:
    """Settings that name the folders of a fold; without folds, the folders as they are, from the root."""
    for section, key in _FOLDERS:
        if not getattr(getattr(config, section), key):
            continue
        folder = config.input_folder(section, key).absolute()
        if fold is not None:
            parts = [f"fold_{fold}" if _FOLD.fullmatch(part) else part for part in folder.parts]
            if parts == list(folder.parts) and not any(map(_FOLD.fullmatch, parts)):
                raise ConfigError(
                    f"[{section}] {key} of {config.source} is {folder}, which lies in no folder fold_1, "
                    "fold_2 and so on. Write folds with `flexunet split DATASET FOLDS --folds 5`, and name "
                    "the folders of fold_1 in the configuration."
                )
            folder = Path(*parts)
        if "*" not in str(folder) and not folder.is_dir():
            raise PathError(f"[{section}] {key} of {config.source}: {folder} is not there.")
        yield f"{section}.{key}={folder.as_posix()!r}"


def _refuse_controls(path: Path) -> None:
    if not str(path).isprintable():
        raise PathError(f"{str(path)!r} has characters that no script should hold: choose another --out.")
