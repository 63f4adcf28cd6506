"""Grids of trainings, and the scripts of schedulers: what they hold, what they refuse, nothing executed."""

import json
import re
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.errors import ConfigError, PathError
from flexunet.programs.jobs.grid import Grid, write_grid
from flexunet.programs.jobs.slurm import Resources, write_slurm
from flexunet.programs.jobs.task import run_task

SETTINGS = """
[train]
images_dir = "folds/fold_1/train/images"
masks_dir = "folds/fold_1/train/masks"
seed = 5
[test]
images_dir = "folds/fold_1/test/images"
masks_dir = "folds/fold_1/test/masks"
"""


@pytest.fixture
def config(tmp_path):
    """A configuration, and the folders of three folds."""
    for fold in (1, 2, 3):
        for part in ("train", "test"):
            for kind in ("images", "masks"):
                (tmp_path / f"folds/fold_{fold}/{part}/{kind}").mkdir(parents=True)
    path = tmp_path / "net.toml"
    path.write_text(SETTINGS)
    return path


def test_each_task_has_a_fold_a_seed_and_folders_of_its_own(config, tmp_path):
    grid = write_grid([config], tmp_path / "grid", folds=3, seeds=2)
    assert [(task.number, task.fold, task.seed) for task in grid.tasks] == [
        (0, 1, 5), (1, 1, 6), (2, 2, 5), (3, 2, 6), (4, 3, 5), (5, 3, 6),
    ]  # fmt: skip
    assert Grid.read(tmp_path / "grid").tasks == grid.tasks
    last = load_config(grid.config_file(grid.tasks[-1]))
    assert last.train.seed == 6
    assert last.run_dir.resolve() == tmp_path / "grid/runs/net-fold_3-seed_6"
    assert last.input_folder("train", "images_dir").resolve() == tmp_path / "folds/fold_3/train/images"
    assert last.input_folder("test", "masks_dir").resolve() == tmp_path / "folds/fold_3/test/masks"


def test_without_folds_the_folders_stay(config, tmp_path):
    grid = write_grid([config], tmp_path / "grid", folds=None, seeds=2, overrides=["train.epochs=3"])
    assert [task.name for task in grid.tasks] == ["net-seed_5", "net-seed_6"]
    made = load_config(grid.config_file(grid.tasks[1]))
    assert made.train.epochs == 3
    assert made.input_folder("train", "images_dir").resolve() == tmp_path / "folds/fold_1/train/images"


def test_folds_that_are_not_there_are_named(config, tmp_path):
    with pytest.raises(PathError, match=r"fold_4.*is not there"):
        write_grid([config], tmp_path / "grid", folds=4, seeds=1)
    (tmp_path / "plain").mkdir()
    with pytest.raises(ConfigError, match=r"lies in no folder fold_1"):
        write_grid(
            [config], tmp_path / "grid", folds=2, seeds=1, overrides=[f"train.images_dir='{tmp_path}/plain'"]
        )


def test_another_grid_is_not_overwritten(config, tmp_path):
    write_grid([config], tmp_path / "grid", folds=2, seeds=1)
    write_grid([config], tmp_path / "grid", folds=2, seeds=1)
    with pytest.raises(PathError, match="holds another grid"):
        write_grid([config], tmp_path / "grid", folds=3, seeds=1)
    with pytest.raises(ConfigError, match="a name of its own"):
        write_grid([config, config], tmp_path / "two", folds=2, seeds=1)


def test_arrays_are_split_at_the_limit_of_the_site_and_cover_every_task_once(config, tmp_path):
    grid = write_grid([config], tmp_path / "grid", folds=3, seeds=3)
    write_slurm(grid, Resources(at_once=2), array_size=4, python="/usr/bin/python3")
    numbers = []
    for path in sorted(grid.folder.glob("train_*.sbatch")):
        text = path.read_text()
        low, high = map(int, re.search(r"--array=(\d+)-(\d+)%2$", text, re.MULTILINE).groups())
        first = int(re.search(r"\(\((\d+) \+ SLURM_ARRAY_TASK_ID", text).group(1))
        assert (low, high < 4) == (0, True)
        numbers += range(first, first + high + 1)
    assert numbers == list(range(9))
    write_slurm(grid, Resources(), array_size=100)
    assert [path.name for path in grid.folder.glob("train_*.sbatch")] == ["train_1.sbatch"]


@pytest.mark.parametrize(
    "values",
    [{"partition": "a\n#SBATCH --uid=0"}, {"time": "1:00 --uid=0"}, {"account": "$(id)"}, {"memory": "'"}],
)
def test_values_that_sbatch_could_mistake_are_refused(values):
    with pytest.raises(ConfigError, match="expected letters, digits"):
        Resources(**values).check()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_scripts_are_good_shell_whatever_the_folder_is_called(config, tmp_path):
    out = tmp_path / 'it\'s "a" $(touch hacked) `touch hacked`; #'
    grid = write_grid([config], out, folds=2, seeds=1)
    setup = tmp_path / "set up.sh"
    setup.write_text("module() { :; }\n")
    write_slurm(grid, Resources(gpus=1, partition="gpu"), array_size=10, setup=setup)
    for path in [*out.glob("*.sbatch"), out / "submit.sh"]:
        subprocess.run(["bash", "-n", path], check=True)
    text = (out / "train_1.sbatch").read_text()
    assert "#SBATCH --gres=gpu:1\n" in text
    assert "#SBATCH --signal=B:USR1@120\n" in text
    assert "--gres" not in (out / "gather.sbatch").read_text()
    # The first line that does something goes to that folder and nowhere else.
    go = next(line for line in text.splitlines() if line.startswith("cd "))
    said = subprocess.run(["bash", "-c", f"{go}; pwd"], capture_output=True, text=True, check=True)
    assert said.stdout.rstrip("\n") == str(out)
    assert not list(tmp_path.rglob("hacked"))


def test_tasks_that_are_missing_are_named_and_make_the_exit_code(config, tmp_path):
    grid = write_grid([config], tmp_path / "grid", folds=2, seeds=1)
    result = CliRunner().invoke(app, ["cluster", "gather", str(grid.folder)])
    assert result.exit_code == 1
    assert "missing: 2 tasks" in result.output
    assert "net-fold_2-seed_5" in result.output
    told = json.loads((grid.gathered / "summary.json").read_text())
    assert told["missing"] == ["net-fold_1-seed_5", "net-fold_2-seed_5"]


def test_a_number_or_folder_without_task_is_refused(config, tmp_path):
    write_grid([config], tmp_path / "grid", folds=2, seeds=1)
    with pytest.raises(ConfigError, match="tasks 0 to 1"):
        run_task(tmp_path / "grid", 2)
    with pytest.raises(PathError, match="cannot be read"):
        run_task(tmp_path, 0)
