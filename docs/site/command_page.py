"""The page of all commands, made from the command line: `python docs/site/command_page.py` prints it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer

from flexunet.cli import app

HEAD = """\
# Commands

Every command has `--help`, which says the same as this page. Commands that print results have `--json`.
The page is made from the command line of this version.
"""


def cell(text: str | None) -> str:
    """Text for a table cell."""
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|").replace("<", "&lt;").strip()


def row_of(parameter: Any) -> str:
    """The table row of an argument or option."""
    is_option = parameter.param_type_name == "option"
    written = ", ".join([*parameter.opts, *parameter.secondary_opts]) if is_option else parameter.name.upper()
    default = parameter.default
    told = isinstance(default, (str, int, float, Path)) and not isinstance(default, bool) and default != ""
    shown = "required" if parameter.required else f"`{default}`" if told else ""
    return f"| `{written}` | {cell(parameter.help)} | {shown} |"


def described(command: Any, name: str, level: int = 2) -> list[str]:
    """The sections of a command and its sub-commands."""
    about = re.sub(r"(?m)^ +", "", (command.help or "").replace("\f", "").strip())
    parts = [f"{'#' * level} flexunet {name}", about]
    shown = [each for each in command.params if not each.hidden and "--help" not in each.opts]
    if shown:
        head = ["| argument or option | meaning | default |", "|---|---|---|"]
        parts.append("\n".join([*head, *map(row_of, shown)]))
    for sub, each in getattr(command, "commands", {}).items():
        parts += described(each, f"{name} {sub}", level + 1)
    return parts


def command_page() -> str:
    """The whole page as Markdown."""
    group: Any = typer.main.get_command(app)
    parts = [HEAD]
    for name, command in group.commands.items():
        parts += described(command, name)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(command_page())
