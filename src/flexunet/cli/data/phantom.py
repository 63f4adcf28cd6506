"""`flexunet phantom`: synthetic mammograms with exact masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, progress
from flexunet.cli.options import AsJson
from flexunet.errors import counted


def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder of the data set.")],
    patients: Annotated[int, typer.Option(min=1, help="Number of patients; each has four films.")] = 24,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Draw raw 1920 x 1080 JPEG films in Cancer/ and Non-Cancer/, for `derive`."
        ),
    ] = False,
    width: Annotated[
        int | None,
        typer.Option(min=32, help="Width of the films, in pixels. Default: 512, or 1920 with --raw."),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(min=32, help="Height of the films, in pixels. Default: 512, or 1080 with --raw."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the phantoms.")] = 137,
    mass_share: Annotated[float, typer.Option(min=0, max=1, help="Share of breasts with a mass.")] = 0.6,
    mass_contrast: Annotated[
        float, typer.Option(min=0, help="Factor of the contrast of masses; above 1 they are easier to see.")
    ] = 1.0,
    labels: Annotated[bool, typer.Option(help="Draw view labels and scanner edges into the films.")] = True,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel jobs.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic mammograms with exact masks, as a data set or as raw films."""
    from flexunet.data.phantom.dataset import write_phantom_dataset, write_raw_phantoms

    write = write_raw_phantoms if raw else write_phantom_dataset
    default = (1920, 1080) if raw else (512, 512)
    with progress() as shown:
        manifest = write(
            out,
            patients,
            seed=seed,
            width=width or default[0],
            height=height or default[1],
            mass_share=mass_share,
            mass_contrast=mass_contrast,
            labels=labels,
            jobs=jobs,
            progress=shown,
        )
    cancer = sum(row["class"] == "Cancer" for row in manifest.rows)
    if as_json:
        print_json({"out": str(out), "films": len(manifest.rows), "patients": patients, "with_mass": cancer})
        return
    console.print(
        f"{counted(len(manifest.rows), 'film')} of {counted(patients, 'patient')} in {out}, "
        f"{cancer} of them with a mass",
        highlight=False,
        soft_wrap=True,
    )
    if raw:
        console.print(f"true masks in {out.with_name(out.name + '_masks')}", highlight=False, soft_wrap=True)
