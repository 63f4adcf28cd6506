"""`flexunet export`: a run's best model in a form that other programs read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json
from flexunet.cli.options import AsJson, Overrides


class Form(StrEnum):
    """What a model can be exported to."""

    H5 = "h5"
    KERAS = "keras"
    OPENVINO = "openvino"
    ONNX = "onnx"
    LITERT = "litert"
    SAVED_MODEL = "saved_model"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or its configuration.")],
    to: Annotated[
        Form,
        typer.Option(
            "--to",
            help="h5: weights that plain TensorFlow loads; keras: the whole model; the others: a folder for "
            "another runtime, compared with the run first.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File or folder to write. Default: beside the best model, or RUN/exported."
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise to 8-bit integers, by the validation split.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Write the exported model even if its foreground Dice differs from the run's."
        ),
    ] = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Export the best model of a run, and check that it predicts the same."""
    from flexunet.cli.configuration import open_config

    config = open_config(run, overrides, False)
    if to in (Form.H5, Form.KERAS):
        from flexunet.errors import ConfigError
        from flexunet.run_folder import RunFolder

        if int8:
            raise ConfigError(f"--int8: {to.value} is not quantised here; openvino and onnx are.")
        RunFolder.of(config).new_exported_model(to.value, out)  # refusals before an engine is started

        from flexunet.models.export import export_model

        path = export_model(config, to.value, out)
        summary = {"form": to.value, "path": str(path)}
    else:
        from flexunet.cli.exporting import export_with_progress
        from flexunet.cli.fitting import fit_if_missing

        fit_if_missing(config, "keras")
        path, summary = export_with_progress(config, to.value, out=out, int8=int8, force=force)
    if as_json:
        print_json(summary)
        return
    console.print(str(path), highlight=False, soft_wrap=True)
