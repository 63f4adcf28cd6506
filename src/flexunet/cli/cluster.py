"""`flexunet cluster`: many trainings as jobs of a scheduler."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, progress, say
from flexunet.cli.options import AsJson, Overrides

cluster = typer.Typer(
    help="Train folds and seeds as jobs of Slurm or Kubernetes, and gather what came of them.",
    no_args_is_help=True,
)
Configs = Annotated[
    list[Path],
    typer.Argument(metavar="CONFIG...", help="Configurations; several are compared with the first."),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="DIR", help="Folder for scripts and runs, on a disk that all machines see."
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--folds", min=2, help="Number of folds; the folders of CONFIG must name one, such as fold_1."
    ),
]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Number of seeds, from that of CONFIG on.")]
Cpus = Annotated[int, typer.Option("--cpus", min=1, help="Processors per task.")]
Gpus = Annotated[int, typer.Option("--gpus", min=0, help="GPUs per task.")]
AtOnce = Annotated[int | None, typer.Option("--at-once", min=1, help="Maximum number of tasks at a time.")]
GridFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the grid.")]


@cluster.command()
def slurm(
    configs: Configs,
    overrides: Overrides = None,
    out: Out = Path("grid"),
    folds: Folds = None,
    seeds: Seeds = 1,
    partition: Annotated[str | None, typer.Option("--partition", help="Partition of the site.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Account that is charged.")] = None,
    qos: Annotated[str | None, typer.Option("--qos", help="Quality of service.")] = None,
    time: Annotated[
        str, typer.Option("--time", help="Time limit of one stretch; a task goes on in the next one.")
    ] = "04:00:00",
    memory: Annotated[str | None, typer.Option("--memory", help="Memory per task, such as 16G.")] = None,
    cpus: Cpus = 4,
    gpus: Gpus = 0,
    at_once: AtOnce = None,
    notice: Annotated[
        int, typer.Option("--notice", min=1, help="Seconds before the time limit at which a task saves.")
    ] = 120,
    max_array: Annotated[
        int | None,
        typer.Option("--max-array", min=2, help="MaxArraySize of the site. Default: what scontrol says."),
    ] = None,
    python: Annotated[
        str, typer.Option("--python", help="Interpreter of the jobs. Default: this one.")
    ] = sys.executable,
    setup: Annotated[
        Path | None,
        typer.Option("--setup", help="Shell file that jobs read first, such as one that loads modules."),
    ] = None,
) -> None:
    """Write array jobs that train every fold with every seed, and one that gathers; submit.sh submits all."""
    from flexunet.programs.jobs.grid import write_grid
    from flexunet.programs.jobs.slurm import Resources, write_slurm

    resources = Resources(partition, account, qos, time, memory, cpus, gpus, at_once, notice)
    resources.check()
    grid = write_grid(configs, out, folds=folds, seeds=seeds, overrides=overrides or [])
    submit = write_slurm(grid, resources, array_size=max_array, python=python, setup=setup)
    arrays = len(list(grid.folder.glob("train_*.sbatch")))
    console.print(
        f"{len(grid.tasks)} tasks in {arrays} {'array' if arrays == 1 else 'arrays'}. Submit them with: "
        f"bash {submit}",
        highlight=False,
        soft_wrap=True,
    )


@cluster.command()
def kubernetes(
    configs: Configs,
    image: Annotated[str, typer.Option("--image", help="Container image that has FlexUNet.")],
    claim: Annotated[
        str, typer.Option("--claim", help="PersistentVolumeClaim that holds data and grid (ReadWriteMany).")
    ],
    mount: Annotated[
        Path, typer.Option("--mount", metavar="DIR", help="Where it is mounted, in the pods and here.")
    ],
    overrides: Overrides = None,
    out: Out = Path("grid"),
    folds: Folds = None,
    seeds: Seeds = 1,
    name: Annotated[str, typer.Option("--name", help="Name of the Jobs.")] = "flexunet",
    namespace: Annotated[str | None, typer.Option("--namespace", help="Namespace of the Jobs.")] = None,
    memory: Annotated[str, typer.Option("--memory", help="Memory per pod, such as 16Gi.")] = "16Gi",
    cpus: Cpus = 4,
    gpus: Gpus = 0,
    at_once: AtOnce = None,
    notice: Annotated[
        int, typer.Option("--notice", min=1, help="Seconds that an evicted pod has to save.")
    ] = 120,
) -> None:
    """Write an Indexed Job that trains every fold with every seed, and a Job that gathers."""
    from flexunet.programs.jobs.grid import write_grid
    from flexunet.programs.jobs.kubernetes import Pods, write_kubernetes

    pods = Pods(image, claim, mount, name, namespace, cpus, memory, gpus, at_once, notice)
    pods.check()
    grid = write_grid(configs, out, folds=folds, seeds=seeds, overrides=overrides or [])
    train, gathering = write_kubernetes(grid, pods)
    console.print(
        f"{len(grid.tasks)} tasks. Start them with: kubectl apply -f {train}; when that Job has ended: "
        f"kubectl apply -f {gathering}",
        highlight=False,
        soft_wrap=True,
    )


@cluster.command()
def task(
    folder: GridFolder,
    number: Annotated[
        int,
        typer.Argument(
            metavar="NUMBER",
            envvar="JOB_COMPLETION_INDEX",
            help="Number of the task, from 0; Kubernetes gives it by a variable.",
        ),
    ],
) -> None:
    """Do one task of a grid: train, or go on from the checkpoint, then evaluate. The jobs call it."""
    from flexunet.programs.jobs.task import run_task

    with progress(logged="epochs") as shown:
        told = run_task(folder, number, progress=shown)
    console.print(told, highlight=False, soft_wrap=True)


@cluster.command()
def gather(folder: GridFolder, as_json: AsJson = False) -> None:
    """Pool folds, put seeds beside each other, compare configurations; exit code 1 if tasks are missing."""
    from flexunet.programs.jobs.gather import gather as gather_grid

    with progress() as shown:
        gathered = gather_grid(folder, progress=shown)
    if as_json:
        print_json(gathered.document())
    else:
        from rich.table import Table

        table = Table()
        for heading in ("configuration", "score", "seeds", "mean", "deviation", "lowest", "highest"):
            table.add_column(heading, justify="left" if heading in ("configuration", "score") else "right")
        for row in gathered.rows():
            figures = [row[key] for key in ("mean", "deviation", "lowest", "highest")]
            shown_figures = ["n/a" if value is None else f"{value:.3f}" for value in figures]
            table.add_row(row["experiment"], row["score"], str(row["seeds"]), *shown_figures)
        console.print(table)
        for sentence in gathered.comparisons.values():
            console.print(sentence, highlight=False, soft_wrap=True)
    say(f"files: {gathered.folder}")
    if gathered.missing:
        names = ", ".join(task.name for task in gathered.missing[:20])
        more = f" and {len(gathered.missing) - 20} more" if len(gathered.missing) > 20 else ""
        numbers = ",".join(str(task.number) for task in gathered.missing)
        say(f"missing: {len(gathered.missing)} tasks have no evaluation: {names}{more} (numbers {numbers})")
        raise typer.Exit(1)
