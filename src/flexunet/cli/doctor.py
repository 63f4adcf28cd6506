"""`flexunet doctor`: what works on this machine, and the commands that mend what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import console, print_json, progress
from flexunet.cli.options import AsJson

if TYPE_CHECKING:
    from flexunet.programs.installation import EngineState, Installation


def doctor(
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start each installed engine to see its devices.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Tell what works on this machine: engines, devices, extras; and how to mend what does not."""
    from flexunet.programs.installation import look_at_installation

    with progress() as shown:
        installation = look_at_installation(start=start, progress=shown)
    if as_json:
        print_json(installation.document())
    else:
        _print(installation)
    if installation.problems:
        raise typer.Exit(1)


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
