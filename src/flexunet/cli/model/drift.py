"""`flexunet drift`: whether images are still like those that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import console, print_failures, print_json, progress, say
from flexunet.cli.options import AsJson, ConfigPath, Overrides, Strict

if TYPE_CHECKING:
    from flexunet.evaluation.drift.run import DriftResult


def drift(
    config_path: ConfigPath,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[IMAGES]...",
            help="Recent images, DICOM too: files, folders, globs, CSV lists. Without any, the images of the "
            "training are measured and kept.",
        ),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for drift.html and drift.json.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Measure the images of the training again.")] = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Compare images with those of a run's training; exit code 1 if they have drifted."""
    from flexunet.cli.configuration import open_config
    from flexunet.cli.fitting import fit_if_missing

    config = open_config(config_path, overrides, strict)
    fit_if_missing(config)

    from flexunet.evaluation.drift.run import measure_drift, reference_of

    with progress() as shown:
        if not inputs:
            reference, new = reference_of(config, renew=renew, progress=shown, say=say)
            if not new:
                say("the images of the training are measured already; --renew measures them again")
            console.print(f"reference: {reference.described}", highlight=False, soft_wrap=True)
            return
        result = measure_drift(config, inputs, renew=renew, progress=shown, say=say)
    if out is not None:
        from flexunet.evaluation.drift.page import write_drift

        write_drift(result, out)
    if as_json:
        print_json(result.document())
    else:
        _print(result, out)
    if not result.drifted:
        print_failures(result.failures)
    raise typer.Exit(result.exit_code)


def _print(result: DriftResult, out: Path | None) -> None:
    from rich.table import Table

    from flexunet.evaluation.drift.page import PAGE

    table = Table()
    for heading in ("measure", "answer", "PSI", "p, corrected", "patients"):
        table.add_column(heading, justify="left" if heading in ("measure", "answer") else "right")
    for one in result.differences:
        if one.answer != "not known":
            figures = ["", ""] if one.psi is None else [f"{one.psi:.2f}", f"{one.p_corrected:.2g}"]
            patients = f"{one.units[0]}, {one.units[1]}"
            table.add_row(one.measure.label, one.answer, *figures, patients, style="bold" if one else None)
    console.print(table)
    unknown = [one.measure.label for one in result.differences if one.answer == "not known"]
    if unknown:
        console.print(f"not known: {', '.join(unknown)}", highlight=False, soft_wrap=True)
    console.print(
        result.sentence, style="bold red" if result.drifted else "bold", highlight=False, soft_wrap=True
    )
    if out is not None:
        console.print(f"page with pictures: {out / PAGE}", highlight=False, soft_wrap=True)
