"""`flexunet demo`: the whole path on synthetic mammograms, by the commands that a user would type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from flexunet.cli.console import console


def demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="New folder for all files of the demo.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the phantoms.")] = 137,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Use few images and one epoch: shows the steps, not a trained model."),
    ] = False,
) -> None:
    """Run every step, from raw films to a report, on synthetic mammograms."""
    from flexunet.programs.demo import run_demo

    program = context.find_root().command

    def command_line(arguments: list[str]) -> int:
        return program.main(arguments, prog_name="flexunet", standalone_mode=False) or 0

    result = run_demo(folder, seed=seed, quick=quick, announce=_announce, command_line=command_line)
    console.rule(Text("done", "bold"))
    console.print("Look at:")
    for what, path in result.items():
        console.print(f"  {what:<42} {path}", highlight=False, soft_wrap=True)


def _announce(what: str, command: str) -> None:
    console.rule(Text(what, "bold"))
    console.print(f"$ {command}", style="cyan", highlight=False, soft_wrap=True)
