"""`flexunet doctor`: what works on this machine, and the commands that mend what does not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import console, print_json, progress
from flexunet.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from flexunet.programs.engine_bench import EngineTime
    from flexunet.programs.installation import EngineState, Installation


def doctor(
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start each installed engine to see its devices.")
    ] = True,
    bench: Annotated[
        Path | None,
        typer.Option(
            "--bench",
            metavar="CONFIG",
            help="Time training steps of a configuration with each installed engine instead, some minutes.",
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Tell what works on this machine: engines, devices, extras; and how to mend what does not."""
    if bench is not None:
        _bench(bench, list(overrides or ()), as_json)
        return

    from flexunet.programs.installation import look_at_installation

    with progress() as shown:
        installation = look_at_installation(start=start, progress=shown)
    if as_json:
        print_json(installation.document())
    else:
        _print(installation)
    if installation.problems:
        raise typer.Exit(1)


def _bench(source: Path, settings: list[str], as_json: bool) -> None:
    from flexunet.cli.configuration import open_config
    from flexunet.programs.engine_bench import time_engines

    config = open_config(source, settings)
    with progress() as shown:
        times = time_engines(config, source, settings, progress=shown)
    if as_json:
        print_json([asdict(each) for each in times])
    else:
        _print_times(times)
    if not any(each.seconds for each in times):
        raise typer.Exit(1)


def _print_times(times: list[EngineTime]) -> None:
    from rich.table import Table

    table = Table("engine", "precision", "seconds a step", "")
    for each in times:
        table.add_row(
            each.engine, each.precision, "-" if each.seconds is None else f"{each.seconds:.3f}", each.problem
        )
    console.print(table)
    if times and times[0].seconds:
        _say(
            f"fastest: {times[0].engine} in {times[0].precision}. To use it: KERAS_BACKEND={times[0].engine}"
            f' and [train] precision = "{times[0].precision}".'
        )


def _print(installation: Installation) -> None:
    from rich.table import Table

    machine = installation.machine
    memory = "memory not known" if machine["memory"] is None else f"{machine['memory']} GiB of memory"
    _say(f"FlexUNet {installation.flexunet}, Python {installation.python}, {installation.platform}")
    _say(f"{installation.processor}: {machine['cores']} cores in use, {memory}")
    for name, value in installation.settings.items():
        _say(f"set: {name}={value}")
    table = Table("engine", "version", "devices", "precision of training")
    for engine in installation.engines:
        name = f"{engine.name} (used)" if engine.chosen else engine.name
        table.add_row(name, engine.version or "-", _devices(engine), engine.precision or "-")
    console.print(table)
    table = Table("extra", "state", "install with")
    for extra in installation.extras:
        state = "ready" if not extra.missing else f"missing: {', '.join(extra.missing)}"
        table.add_row(extra.name, state, extra.command or "-")
    console.print(table)
    for problem in installation.problems:
        _say(f"problem: {problem}.")
    if not installation.problems:
        _say("ready.")


def _devices(engine: EngineState) -> str:
    if engine.version is None:
        return "not installed"
    if engine.problem:
        return f"does not start: {engine.problem}"
    return "not started" if engine.devices is None else ", ".join(engine.devices)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
