"""`flexunet models`: all architectures, with parameters, operations and time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson, Overrides


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Names of architectures. Default: all."),
    ] = None,
    size: Annotated[
        int, typer.Option("--size", min=1, help="Width and height of the image, in pixels.")
    ] = 256,
    config_path: Annotated[
        Path | None, typer.Option("--config", help="Configuration for all keys but the image size.")
    ] = None,
    overrides: Overrides = None,
    timed: Annotated[bool, typer.Option("--time", help="Time the prediction of one image.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the architectures, with parameters, multiply-adds and prediction time."""
    from flexunet.cli.configuration import open_config
    from flexunet.config.files import default_config

    config = open_config(config_path, overrides) if config_path else default_config(overrides or ())
    config.model.image_width = config.model.image_height = size

    from rich.table import Table

    from flexunet.cli.console import progress
    from flexunet.planning.catalogue import list_models, selected

    rows = []
    count = len(selected(names or ()))
    with progress() as shown:
        for row in list_models(config, names or (), timed=timed):
            rows.append(row)
            shown("models", len(rows), count, row.name)
    if as_json:
        print_json({"size": size, "models": [row.document() for row in rows]})
        return
    table = Table(box=None, header_style="bold")
    for title, side in (("model", "left"), ("parameters", "right"), ("multiply-adds", "right")):
        table.add_column(title, justify=side)  # type: ignore[arg-type]
    if timed:
        table.add_column("seconds", justify="right")
    table.add_column("")
    for row in rows:
        counts = [
            "-" if row.parameters is None else f"{row.parameters:,}",
            "-" if row.multiply_adds is None else f"{row.multiply_adds / 1e9:.2f} G",
        ]
        if timed:
            counts.append("-" if row.seconds is None else f"{row.seconds:.3f}")
        table.add_row(row.name, *counts, row.problem or row.title)
    console.print(table)
    console.print(f"one image of {size}x{size}; all other keys as in --config, or their defaults")
