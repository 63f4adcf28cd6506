"""`flexunet train`: train the configured model."""

from __future__ import annotations

from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, print_notes, progress, say
from flexunet.cli.options import AsJson, ConfigPath, Overrides, Strict


def train(
    config_path: ConfigPath,
    overrides: Overrides = None,
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
    from pathlib import Path

    from flexunet.cli.configuration import open_config

    overrides = list(overrides or [])
    if run_dir:
        overrides.append(f"train.run_dir={Path(run_dir).absolute().as_posix()!r}")
    config = open_config(config_path, overrides, strict)

    from flexunet.membership import choose_memberships

    if memberships := choose_memberships(processes, coordinator, num_processes, process_id):
        from flexunet.launch import launch_training

        arguments = ["train", str(config_path), "--resume", resume, *(f"--set={text}" for text in overrides)]
        arguments += ["--strict"] * strict + ["--json"] * as_json
        raise typer.Exit(launch_training(config, arguments, memberships, progress))

    from flexunet.training.checkpoint.resume import choose_resume
    from flexunet.training.run import train as train_model

    with progress(logged="epochs") as shown:
        result = train_model(config, resume=choose_resume(resume), progress=shown, say=say)
    print_notes(result.notes)
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
