"""`flexunet init`: a configuration for a data set, with a reason for every choice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.colors import RgbMap, masks_of
from flexunet.cli.configuration import open_config
from flexunet.cli.console import console, print_json, print_notes, progress
from flexunet.cli.options import AsJson, Budget
from flexunet.errors import ConfigError, typed

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.data.images.masks.reader import MaskReader
    from flexunet.planning.plan import Plan

_UNITS = {"": 60, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def init(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder of images and masks, in any known layout.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write. Default: NAME.toml in this folder."),
    ] = None,
    budget: Budget = None,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Configuration whose [mask] and [image] keys are taken over."
        ),
    ] = None,
    rgb_map: RgbMap = None,
    accept_audit_errors: Annotated[
        bool,
        typer.Option("--i-accept-audit-errors", help="Write it though the audit found untrue test scores."),
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print every choice and its reason.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a data set and write a configuration for it, with a reason for every choice."""
    file = out or configuration_of(dataset)
    config = open_config(config_path) if config_path else None
    kept = explain and file.exists()
    plan = write_plan(
        dataset,
        file,
        budget,
        config,
        masks_of(config, rgb_map),
        accept_audit_errors=accept_audit_errors,
        keep=kept,
    )
    if as_json:
        print_json(plan.document() | {"written": None if kept else str(file)})
        return
    if explain:
        _print_decisions(plan)
    print_notes(plan.notes)
    if kept:
        console.print(f"{file} is there already, and was left as it is", highlight=False, soft_wrap=True)
        return
    console.print(f"wrote {file}; train with: flexunet train {typed(file)}", highlight=False, soft_wrap=True)


def configuration_of(dataset: Path) -> Path:
    """The file that `init` writes for a data set, where none is named."""
    return Path(f"{dataset.resolve().name or 'dataset'}.toml")


def write_plan(
    dataset: Path,
    file: Path,
    budget: str | None,
    config: Config | None = None,
    masks: MaskReader | None = None,
    *,
    accept_audit_errors: bool = False,
    keep: bool = False,
) -> Plan:
    """Plan for a data set, and write the configuration and the plan.

    Args:
        dataset: Folder of the data set.
        file: The configuration.
        budget: Time that training may take, as `seconds_of` reads it.
        config: Configuration whose `[mask]` and `[image]` keys are taken over.
        masks: How masks are read.
        accept_audit_errors: Whether a plan is made though the audit found errors.
        keep: Whether the file is there already and stays as it is: nothing is written.

    Raises:
        PathError: if the file is there already, unless it is to be kept.
    """
    from flexunet.planning.plan import plan_training, refuse_existing

    if not keep:
        refuse_existing(file)
    seconds = None if budget is None else seconds_of(budget)
    with progress() as shown:
        plan = plan_training(
            dataset,
            masks=masks,
            config=config,
            budget=seconds,
            accept_audit_errors=accept_audit_errors,
            progress=shown,
        )
    if not keep:
        plan.write(file, f"./{file.stem}_run")
    return plan


def seconds_of(text: str) -> float:
    """The seconds of `30m`, `2h`, `90s` or `45` (minutes).

    Raises:
        ConfigError: if the text is no time above 0.
    """
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) *([a-z]*)", text.strip().lower())
    if not found or found[2] not in _UNITS or float(found[1]) == 0:
        raise ConfigError(f"--budget {text}: expected a time such as 30m, 2h or 90s.")
    return float(found[1]) * _UNITS[found[2]]


def _print_decisions(plan: Plan) -> None:
    from flexunet.config.writing import toml_value

    for decision in plan.decisions:
        text = f"[{decision.section}] {decision.key} = {toml_value(decision.value)}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        console.print(f"    {decision.reason}", highlight=False, markup=False, soft_wrap=True)
