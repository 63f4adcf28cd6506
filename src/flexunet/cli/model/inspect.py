"""`flexunet inspect`: what the configured model is made of."""

from __future__ import annotations

from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson, ConfigPath, Overrides, Strict


def inspect(
    config_path: ConfigPath,
    overrides: Overrides = None,
    output: Annotated[
        str | None,
        typer.Option("--out", help="Folder for summary.txt and model.png; without it, none is written."),
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Describe the configured model: its layers, parameters and shapes."""
    from pathlib import Path

    from flexunet.cli.configuration import open_config

    config = open_config(config_path, overrides, strict)

    from flexunet.models.inspection import describe_model, summary_text, write_description
    from flexunet.models.registry import build_model

    model = build_model(config)
    description = describe_model(model)
    written = write_description(model, Path(output)) if output else []
    if as_json:
        print_json(description | {"written": [str(path) for path in written]})
        return
    if not output:
        console.print(summary_text(model), highlight=False, soft_wrap=True)
    console.print(
        f"{description['name']}: {description['parameters']:,} parameters, "
        f"{len(description['layers'])} layers, output {tuple(description['output_shape'])}"
    )
    for path in written:
        console.print(str(path), highlight=False, soft_wrap=True)
