"""`flexunet export`: a run's best model in a form that other programs read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson


class Form(StrEnum):
    """What a model can be exported to."""

    H5 = "h5"
    KERAS = "keras"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its configuration.")],
    to: Annotated[
        Form, typer.Option("--to", help="h5: weights that plain TensorFlow loads; keras: the whole model.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; beside the best model if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a run's best model."""
    from flexunet.cli.configuration import open_config

    config = open_config(run, None, False)

    from flexunet.models.export import export_model

    path = export_model(config, to.value, out)
    if as_json:
        print_json({"form": to.value, "path": str(path)})
        return
    console.print(str(path), highlight=False, soft_wrap=True)
