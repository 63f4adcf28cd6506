"""One task of a grid: train, or go on from the checkpoint, then evaluate; what is done is not done again."""

from __future__ import annotations

from pathlib import Path

from flexunet.config.files import load_config
from flexunet.errors import ConfigError
from flexunet.programs.jobs.grid import Grid
from flexunet.progress import Progress, silent
from flexunet.run_folder import SCORES, RunFolder


def run_task(folder: Path, number: int, *, progress: Progress = silent) -> str:
    """Do a task of a grid.

    Args:
        folder: Folder of the grid.
        number: Number of the task.
        progress: Told how far it is.

    Returns:
        What was done, in a sentence.

    Raises:
        PathError: if there is no grid.
        ConfigError: if there is no such task.
        RunStoppedError: if a signal asked the training to stop; the same call goes on from there.
    """
    from flexunet.evaluation.run import evaluate
    from flexunet.training.run import train

    grid = Grid.read(folder)
    if not 0 <= number < len(grid.tasks):
        raise ConfigError(f"there is no task {number}: the grid has tasks 0 to {len(grid.tasks) - 1}.")
    task = grid.tasks[number]
    config = load_config(grid.config_file(task))
    result = train(config, resume="auto", progress=progress)
    scores = RunFolder.of(config).evaluation / SCORES
    evaluated = ", evaluated before"
    if not scores.is_file() or scores.stat().st_mtime < result.model_path.stat().st_mtime:
        if config.test.images_dir:
            evaluate(config, progress=progress)
            evaluated = ", evaluated"
        else:
            evaluated = ", not evaluated: [test] names no folder"
    return f"{task.name}: {result.resumed or 'trained from the beginning'}; {result.ended}{evaluated}"
