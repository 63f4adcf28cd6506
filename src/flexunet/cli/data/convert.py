"""`flexunet convert`: a data set in the form of another program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.colors import ColorsFrom, RgbMap, chosen_masks
from flexunet.cli.console import console, print_json, print_notes, progress
from flexunet.cli.options import AsJson

NNUNET = "nnunet"


def convert(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder of images and masks, in any known layout.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="New folder; for nnU-Net its name is DatasetNNN_NAME.")
    ],
    to: Annotated[str, typer.Option("--to", metavar=NNUNET, help="Program that reads the folder.")] = NNUNET,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Names of the classes from 1 on. Default: lesion, or class_1, class_2, ...",
        ),
    ] = None,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
    jobs: Annotated[int, typer.Option(min=0, help="Number of parallel jobs; 0 means one per processor.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a data set as the raw folder of nnU-Net, its splits kept."""
    from flexunet.data.split.nnunet import write_nnunet
    from flexunet.errors import ConfigError

    if to != NNUNET:
        raise ConfigError(f"--to: expected {NNUNET}, found {to!r}.")
    with progress() as shown:
        counts, notes = write_nnunet(
            dataset,
            out,
            masks=chosen_masks(config_path, rgb_map),
            labels=[name.strip() for name in labels.split(",")] if labels else (),
            jobs=jobs or os.cpu_count() or 1,
            progress=shown,
        )
    if as_json:
        print_json({"out": str(out), "cases": {part or "all": count for part, count in counts.items()}})
    else:
        told = ", ".join(f"{count} {part or 'in all'}" for part, count in counts.items())
        console.print(f"{sum(counts.values())} cases in {out}: {told}", highlight=False, soft_wrap=True)
    print_notes(notes)
