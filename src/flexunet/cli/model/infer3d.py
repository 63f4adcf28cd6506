"""`flexunet infer3d`: label volumes, videos and lesions of NIfTI and MetaImage volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_failures, print_json, progress
from flexunet.cli.options import AsJson, ConfigPath, Engine, Overrides, Strict
from flexunet.errors import counted


def infer3d(
    config_path: ConfigPath,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Volumes, folders, globs or CSV lists. Default: [infer3d] images_dir.",
        ),
    ] = None,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the label volumes. Default: [infer3d] output_dir."),
    ] = None,
    video: Annotated[
        Path | None, typer.Option("--video", help="Folder for the videos. Default: [infer3d] video_dir.")
    ] = None,
    engine: Engine = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Predict volumes (NIfTI, MetaImage) slice by slice: label volumes, videos and lesions."""
    from flexunet.cli.configuration import open_config

    settings = list(overrides or [])
    for key, folder in (("output_dir", output), ("video_dir", video)):
        if folder:
            settings.append(f"infer3d.{key}={folder.absolute().as_posix()!r}")
    if engine:
        settings.append(f"infer.engine={engine!r}")
    config = open_config(config_path, settings, strict)

    from flexunet.cli.exporting import export_if_missing

    export_if_missing(config)

    from flexunet.cli.fitting import fit_if_missing

    fit_if_missing(config)

    from flexunet.inference.volumes.run import infer_volumes

    with progress() as shown:
        result = infer_volumes(
            config,
            inputs=inputs or (),
            progress=shown,
        )
    if as_json:
        print_json(result.summary())
    else:
        lesions, volume = sum(result.lesions.values()), sum(result.volumes_mm3.values())
        told = [f"{len(result.label_paths)} label volumes in {result.output_dir}"]
        told += [f"videos in {result.video_dir}"] if result.video_dir else []
        told += [f"{counted(lesions, 'lesion')}, {volume:.1f} mm3, in {result.lesions_dir}"]
        console.print("\n".join(told), highlight=False, soft_wrap=True)
        if result.reused:
            console.print(f"{result.reused} of them existed already, from the same model and settings")
    print_failures(result.failures)
