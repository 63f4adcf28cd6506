"""`flexunet import-weights`: a published weights file becomes a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, print_notes
from flexunet.cli.options import AsJson, ConfigPath, Overrides, Strict


def import_weights(
    weights: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", help="Weights file of Keras 2 or 3, such as best_model.h5.")
    ],
    config_path: ConfigPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New run folder.")],
    overrides: Overrides = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Make a run folder from a published weights file, for `evaluate` and `infer`."""
    from flexunet.cli.configuration import open_config

    config = open_config(config_path, overrides, strict)

    # What needs no engine is refused before one is started.
    from flexunet.run_folder import RunFolder, require_weights

    RunFolder.at(out).require_new()
    require_weights(weights)

    from flexunet.models.weights.importing import import_weights as import_file
    from flexunet.training.environment import describe_environment, write_environment

    run = import_file(weights, config, out)
    imported = {**run.summary(), "weights": str(weights.absolute())}
    write_environment(RunFolder.at(out).environment, describe_environment(config, imported=imported))
    print_notes(run.notes)
    if as_json:
        print_json(run.summary())
        return
    console.print(
        f"{run.parameters:,} parameters from {weights} ({run.form})", highlight=False, soft_wrap=True
    )
    console.print(f"model  {run.model_path}", highlight=False, soft_wrap=True)
