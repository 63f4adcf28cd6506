"""`flexunet train`: train the configured model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, print_notes, progress, say
from flexunet.cli.model.init import configuration_of, write_plan
from flexunet.cli.options import AsJson, Budget, Overrides, Strict


def train(
    config_path: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="A .toml or published .config file, a run folder, or a data set, for which `init` writes "
            "NAME.toml first.",
        ),
    ],
    overrides: Overrides = None,
    budget: Budget = None,
    run_dir: Annotated[
        str | None,
        typer.Option(
            "--run", help="Run folder, for all files that training writes. Default: [train] run_dir."
        ),
    ] = None,
    resume: Annotated[
        str,
        typer.Option(help="Resume a stopped run from its checkpoint: never, auto (if there is one) or must."),
    ] = "never",
    processes: Annotated[
        int | None,
        typer.Option("--processes", help="Number of processes on this machine that train one model (JAX)."),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Address of process 0, for training on several machines."),
    ] = None,
    num_processes: Annotated[
        int | None, typer.Option("--num-processes", help="Total number of processes, with --coordinator.")
    ] = None,
    process_id: Annotated[
        int | None,
        typer.Option("--process-id", help="Number of this process, counted from 0, with --coordinator."),
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Train the configured model."""
    from flexunet.cli.configuration import open_config

    config_path = _planned(config_path, budget)

    overrides = list(overrides or [])
    if run_dir:
        overrides.append(f"train.run_dir={Path(run_dir).absolute().as_posix()!r}")
    config = open_config(config_path, overrides, strict)

    from flexunet.cli.model.refusals import refuse_training
    from flexunet.data.configured import pairs_or_none
    from flexunet.errors import typed
    from flexunet.membership import choose_memberships

    refuse_training(config)
    if memberships := choose_memberships(processes, coordinator, num_processes, process_id):
        from flexunet.programs.launch import launch_training

        arguments = ["train", str(config_path), "--resume", resume, *(f"--set={text}" for text in overrides)]
        arguments += ["--strict"] * strict + ["--json"] * as_json
        raise typer.Exit(launch_training(config, arguments, memberships, progress))

    from flexunet.programs.engine_bench import faster_engine
    from flexunet.training.checkpoint.resume import choose_resume
    from flexunet.training.run import train as train_model

    with progress(logged="epochs") as shown:
        result = train_model(config, resume=choose_resume(resume), progress=shown, say=say)
    print_notes(result.notes)
    import keras

    if note := faster_engine(config, keras.config.backend()):
        print_notes([note])
    if as_json:
        print_json(result.summary())
        return
    if result.resumed:
        console.print(result.resumed, highlight=False, soft_wrap=True)
    console.print(
        f"{result.parameters:,} parameters, {result.ended}; "
        f"best {result.monitor} {result.best_value:.4f} in epoch {result.best_epoch}"
    )
    console.print(f"model   {result.model_path}", highlight=False, soft_wrap=True)
    console.print(f"curves  {result.curves_dir}", highlight=False, soft_wrap=True)
    # With --set or --run, only the run folder's copy of the configuration tells of this run.
    trained = typed(config.run_dir if overrides else config_path)
    command = (
        f"evaluate {trained}" if pairs_or_none(config, "test") else f"infer {trained} IMAGES --out MASKS"
    )
    console.print(f"next    flexunet {command}", highlight=False, soft_wrap=True)


def _planned(path: Path, budget: str | None) -> Path:
    """The configuration that is meant: for a data set, that which `init` wrote or writes now.

    Raises:
        ConfigError: if there is a budget, and a configuration that says already how long training takes; or
            a configuration of this name for another data set.
        DatasetError: if the data set changed since it was planned for, and the audit now finds errors.
    """
    from flexunet.errors import ConfigError
    from flexunet.run_folder import RUN_CONFIG

    is_dataset = path.is_dir() and not (path / RUN_CONFIG).is_file()
    file = configuration_of(path) if is_dataset else path
    if is_dataset and not file.exists():
        plan = write_plan(path, file, budget)
        print_notes(plan.notes)
        say(f"wrote {file}, with a reason for every choice")
    elif budget is not None:
        raise ConfigError(
            f"--budget {budget} plans a configuration for a data set, and {file} is there already: train it "
            "without --budget, or write another one with `flexunet init DATASET --out FILE --budget TIME`."
        )
    elif is_dataset:
        from flexunet.planning.written import check_written

        with progress() as shown:
            check_written(path, file, shown)
        say(f"training as {file} says, which is there already")
    return file
