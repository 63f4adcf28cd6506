"""`flexunet infer` and `flexunet tiledinfer`: masks, overlays and lesions of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, gathered, print_failures, print_json, print_notes, progress
from flexunet.cli.options import AsJson, Engine, Overrides, Ray, Runs, Strict, each_run, ensemble_of
from flexunet.errors import ConfigError, counted

MaybeConfig = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG",
        help="A .toml or published .config file, or a run folder. Default: that of the first of --runs.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]...",
        help="Images, folders, globs, CSV lists or DICOM directories. Default: the configured images_dir.",
    ),
]
Images = Annotated[
    list[str] | None, typer.Option("--images", help="Image or folder to predict, as INPUT; repeatable.")
]
Report = Annotated[
    bool,
    typer.Option("--sr", help="Write a structured report (DICOM SR) of the lesions of each DICOM image."),
]
Objects = Annotated[
    str | None,
    typer.Option("--seg", help="Kind of the DICOM Segmentation objects: binary, fractional or labelmap."),
]
Maps = Annotated[
    bool,
    typer.Option("--parametric-map", help="Write the probabilities of each DICOM image as a Parametric Map."),
]
Captures = Annotated[
    bool,
    typer.Option(
        "--secondary-capture",
        help="Write the overlay of each DICOM image as a Secondary Capture, marked as not for diagnosis.",
    ),
]
Output = Annotated[
    str | None, typer.Option("--out", help="Folder for the masks. Default: output_dir of the configuration.")
]


def _command(section: str, text: str) -> Callable[..., None]:
    """The command that predicts by a section of the configuration; the options are those of both."""

    def predict(
        config_path: MaybeConfig = None,
        inputs: Inputs = None,
        overrides: Overrides = None,
        images: Images = None,
        runs: Runs = None,
        output: Output = None,
        engine: Engine = None,
        report: Report = False,
        objects: Objects = None,
        maps: Maps = False,
        captures: Captures = False,
        ray: Ray = None,
        strict: Strict = False,
        as_json: AsJson = False,
    ) -> None:
        config_path, given = _configuration(config_path, [*(inputs or ()), *(images or ())], runs)
        settings = [
            *_settings(section, overrides, runs, output, engine),
            *_dicom_settings(report, objects, maps, captures),
        ]
        _infer(section, config_path, given, settings, ray, strict, as_json)

    predict.__doc__ = text
    return predict


infer = _command("infer", "Predict images: masks, overlays and lesions, at the size of each image.")
tiledinfer = _command(
    "tiledinfer", "Predict images larger than the model, in overlapping tiles that are blended."
)


def _configuration(path: Path | None, inputs: list[str], runs: list[str] | None) -> tuple[Path, list[str]]:
    """The configuration and what is predicted: without a CONFIG, that of the first of `--runs`.

    Raises:
        ConfigError: if neither is given.
    """
    if path is not None and not (runs and _is_input(path)):
        return path, inputs
    if not runs:
        raise ConfigError(
            "CONFIG is missing: give a .toml or published .config file, a run folder, or --runs RUN."
        )
    return each_run(runs)[0], [*([str(path)] if path is not None else []), *inputs]


def _is_input(path: Path) -> bool:
    """Whether a path is of images: a folder that is no run, or a file of another kind than configurations."""
    from flexunet.run_folder import RUN_CONFIG

    if path.is_dir():
        return not (path / RUN_CONFIG).is_file()
    return path.is_file() and path.suffix.lower() not in {".toml", ".config"}


def _settings(
    section: str, overrides: Overrides, runs: list[str] | None, output: str | None, engine: str | None
) -> list[str]:
    """What `--set` says, and what the other options mean in its terms."""
    settings = list(overrides or [])
    if output:
        settings.append(f"{section}.output_dir={Path(output).absolute().as_posix()!r}")
    if runs:
        settings.append(ensemble_of(runs))
    if engine:
        settings.append(f"infer.engine={engine!r}")
    return settings


def _dicom_settings(report: bool, objects: str | None, maps: bool, captures: bool) -> list[str]:
    """What the options of DICOM objects mean in terms of `--set`."""
    settings = [
        setting
        for asked, setting in (
            (report, "dicom.report='measurements'"),
            (objects, f"dicom.segmentation={objects!r}"),
            (maps, "dicom.parametric_map=true"),
            (captures, "dicom.secondary_capture=true"),
        )
        if asked
    ]
    return [*settings, "infer.dicom_seg=true"] if settings else []


def _infer(
    section: str,
    config_path: Path,
    inputs: list[str],
    settings: list[str],
    ray: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    from flexunet.cli.configuration import open_config

    config = open_config(config_path, settings, strict)

    from flexunet.cli.exporting import export_if_missing
    from flexunet.cli.fitting import fit_if_missing
    from flexunet.inference.folder import infer_folder
    from flexunet.inference.inputs import find_images

    def count_images() -> int:
        return len(find_images(inputs or [config.input_folder(section, "images_dir")]))

    export_if_missing(config, count_images)
    fit_if_missing(config)

    with progress() as shown:
        result = infer_folder(
            config,
            inputs=inputs,
            tiled=section == "tiledinfer",
            progress=shown,
            ray=ray,
        )
    if as_json:
        print_json(result.summary())
    else:
        masks = counted(len(result.mask_paths), "mask")
        console.print(f"{masks} in {result.output_dir}", highlight=False, soft_wrap=True)
        console.print(f"overlays in {result.overlay_dir}", highlight=False, soft_wrap=True)
        lesions = counted(sum(result.lesions.values()), "lesion")
        console.print(f"{lesions} in {result.lesions_dir}", highlight=False, soft_wrap=True)
        if result.reused:
            console.print(f"{result.reused} of them existed already, from the same model and settings")
        for worker, count in result.workers.items():
            console.print(f"{count} by the worker {worker}", highlight=False)
    print_notes(gathered(result.notes))
    print_notes(
        f"{path} is unlike the training images ({what}): its mask means little"
        for path, what in result.unlike_training.items()
    )
    print_failures(result.failures)
