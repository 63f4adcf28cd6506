"""`flexunet derive`: from raw films to a data set of square images with masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import (
    gathered,
    print_failures,
    print_json,
    print_missing,
    print_notes,
    progress,
)
from flexunet.cli.data.derive_films import of_dataset, of_folder
from flexunet.cli.data.derive_report import print_problems, print_report, write_sheet
from flexunet.cli.options import AsJson, Ray, each_run, ensemble_of

if TYPE_CHECKING:
    from flexunet.data.derive.film_masks import FilmMasks, ModelMasks, RawFilm
    from flexunet.data.derive.run import MaskSource
    from flexunet.data.dicom.deidentify import Pseudonyms
    from flexunet.data.images.masks.reader import MaskReader


def derive(
    raw: Annotated[
        Path, typer.Argument(metavar="RAW", help="Folder of raw films, or of one folder per class.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of the data set; films that are finished are kept.")
    ],
    masks: Annotated[
        str | None,
        typer.Option("--masks", metavar="DIR|none", help="Folder of masks of the same size as the films."),
    ] = None,
    masks_from: Annotated[
        list[Path] | None,
        typer.Option(
            "--masks-from",
            metavar="RUN",
            help="Run folder or configuration of a trained model that drafts the masks; repeat it, or name "
            "a folder of runs, for the mean of several.",
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Outlines of lesions: a file or folder of LabelMe, COCO, VIA, CVAT, Label Studio, YOLO, "
            "mini-MIAS, INbreast, CSV, or DICOM SEG, RTSTRUCT or SR.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|auto",
            help="Public data set that RAW is, as downloaded; `flexunet datasets` lists them.",
        ),
    ] = None,
    weak_masks: Annotated[
        bool,
        typer.Option("--weak-masks", help="Fill boxes where a data set, YOLO or COCO has nothing better."),
    ] = False,
    annotator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|union", help="Whose outlines count where several people drew them (CSAW-S)."
        ),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Minimum confidence of a draft; less confident ones go to OUT/to_review."
        ),
    ] = 0.0,
    deidentify: Annotated[
        bool,
        typer.Option(
            "--deidentify",
            help="Replace patients by pseudonyms and leave out personal columns; films named after a person "
            "are refused.",
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="FILE", help="Key of the pseudonyms, made where missing. Default: OUT.key."
        ),
    ] = None,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Configuration whose image size and mask colours are used."
        ),
    ] = None,
    width: Annotated[int | None, typer.Option(help="Width of the images, in pixels. Default: 512.")] = None,
    height: Annotated[int | None, typer.Option(help="Height of the images, in pixels. Default: 512.")] = None,
    orient: Annotated[
        str, typer.Option(metavar="keep|left|right", help="Side to which all breasts are mirrored.")
    ] = "keep",
    margin: Annotated[
        float, typer.Option(help="Margin around the breast, as a share of its longer side.")
    ] = 0.04,
    keep_labels: Annotated[
        bool, typer.Option("--keep-labels", help="Keep burned-in labels and scanner edges.")
    ] = False,
    dicom_window: Annotated[
        str,
        typer.Option(
            metavar="RULE", help="Grey levels of DICOM images: auto|full|range|stored|CENTRE,WIDTH."
        ),
    ] = "auto",
    grey_range: Annotated[
        str,
        typer.Option(
            "--range",
            metavar="RULE",
            help="Values of 16-bit films that are black and white: auto (bits that they use)|full|LOW,HIGH.",
        ),
    ] = "auto",
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Table with one row per image (patient, side, ...); its columns go to the manifest.",
        ),
    ] = None,
    patient_pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Pattern of file names whose first group is the patient."),
    ] = None,
    normal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="Name of a folder of films without lesions; repeatable. Default: Non-Cancer and Normal.",
        ),
    ] = None,
    mask_suffix: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="Ending of the mask names after the name of the film, such as _mask."
        ),
    ] = "",
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL=N,...",
            help="Class index of each label of the annotations. Default: class 1 for all.",
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="WORD,WORD",
            help="Words in the names of films that are channels of one image: DM,CM joins P1_L_DM_CC and "
            "P1_L_CM_CC.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Number of parallel jobs; 0 means one per processor.")] = 0,
    ray: Ray = None,
    as_json: AsJson = False,
) -> None:
    """Crop raw films to the breast, with masks from files, annotations or a trained model."""
    from flexunet.data.derive.film import DeriveSettings
    from flexunet.data.derive.run import derive as derive_films
    from flexunet.errors import ConfigError

    _refuse_two_sources(masks, masks_from, annotations, dataset)
    if annotator and not dataset:
        raise ConfigError("--annotator chooses among those of a data set: give --dataset too.")
    if weak_masks and not (dataset or annotations):
        raise ConfigError("--weak-masks fills boxes: give --dataset or --annotations too.")
    drafting = each_run(masks_from or ())
    size, reader = _size_and_masks(config_path or next(iter(drafting), None), width, height)
    model, draft = _open_model(drafting, min_confidence) if drafting else (None, None)
    given = Path(masks) if masks and masks != "none" else None
    prepared = (
        of_dataset(
            raw, dataset, annotator or "", classes, weak_masks, model, (table, patient_pattern, normal)
        )
        if dataset
        else of_folder(
            raw,
            normal,
            (given, mask_suffix) if given else None,
            annotations,
            weak_masks,
            classes,
            table,
            patient_pattern,
        )
    )
    if channels:
        from flexunet.data.derive.channels import join_channels

        prepared.films, incomplete = join_channels(
            prepared.films, [word.strip() for word in channels.split(",")]
        )
        if incomplete:
            prepared.gaps["films without all channels"] = incomplete
    source = prepared.masks or model
    if given:
        own_range = "full" if grey_range == "auto" else grey_range
        source = _given(given, prepared.films, replace(reader, grey_range=own_range), mask_suffix)
    with progress() as shown:
        report = derive_films(
            raw,
            out,
            settings=DeriveSettings(
                *size,
                margin=margin,
                orient=orient,
                clear=not keep_labels,
                dicom_window=dicom_window,
                grey_range=grey_range,
                whole=prepared.whole,
                pseudonyms=_pseudonyms(out, deidentify, key_file),
            ),
            masks=source,
            films=prepared.films,
            mask_source=draft,
            color_map=reader.color_map,
            columns=prepared.facts,
            jobs=jobs,
            ray=ray,
            progress=shown,
        )
    sheet = write_sheet(report, out, reader.color_map)
    if as_json:
        print_json(
            {
                "out": str(out),
                **report.counts,
                "lost_on_tissue": len(report.lost_on_tissue),
                "notes": report.notes,
                **({"dataset": prepared.dataset, "missing": prepared.gaps} if dataset else {}),
            }
        )
    else:
        print_report(report, out, sheet)
    print_notes(gathered(report.notes))
    print_problems(report, out)
    print_missing(prepared.gaps)
    print_failures(prepared.unreadable)
    if report.of_state("failed") or prepared.gaps:
        raise typer.Exit(2)


def _pseudonyms(out: Path, wanted: bool, key_file: Path | None) -> Pseudonyms | None:
    from flexunet.data.dicom.deidentify import Pseudonyms

    if not (wanted or key_file):
        return None
    return Pseudonyms.of_file(key_file or out.with_name(f"{out.name}.key"))


def _refuse_two_sources(
    masks: str | None, masks_from: list[Path] | None, annotations: Path | None, dataset: str | None
) -> None:
    from flexunet.errors import ConfigError

    sources = (
        ("--masks", masks),
        ("--masks-from", masks_from),
        ("--annotations", annotations),
        ("--dataset", dataset),
    )
    given = [name for name, value in sources if value]
    # A model may draft what a data set leaves open.
    if len(given) > 1 and set(given) != {"--masks-from", "--dataset"}:
        raise ConfigError(f"masks come from one source: choose one of {' and '.join(given)}.")


def _size_and_masks(
    config_path: Path | None, width: int | None, height: int | None
) -> tuple[tuple[int, int], MaskReader]:
    """Size of images and how masks are read, by the configuration or the model; options count more."""
    from flexunet.data.images.masks.reader import MaskReader

    if config_path is None:
        return (width or 512, height or 512), MaskReader()
    from flexunet.cli.configuration import open_config
    from flexunet.data.configured import mask_reader

    config = open_config(config_path)
    size = width or config.model.image_width, height or config.model.image_height
    return size, mask_reader(config)


def _given(folder: Path, films: list[RawFilm], reader: MaskReader, suffix: str) -> FilmMasks:
    from flexunet.data.derive.film_masks import GivenMasks

    return GivenMasks.find(folder, films, reader, suffix)


def _open_model(runs: list[Path], min_confidence: float) -> tuple[ModelMasks, MaskSource]:
    """The runs that draft masks, each told by its weights and its model."""
    from flexunet.config.files import load_config
    from flexunet.data.dataset.manifest import sha256_of
    from flexunet.data.derive.film_masks import ModelMasks, draft_mask
    from flexunet.inference.predict.calibration import member_configs
    from flexunet.inference.predict.predictor import Predictor
    from flexunet.run_folder import RunFolder

    config = load_config(runs[0], [ensemble_of(runs)] if len(runs) > 1 else [])
    predictor = Predictor.load(config)
    identity = "; ".join(
        f"{sha256_of(RunFolder.of(member).find_model())} {member.model!r}"
        for member in member_configs(config)
    )
    return ModelMasks(identity, min_confidence), lambda image: draft_mask(predictor(image))
