"""`flexunet derive`: from raw films to a data set of square images with masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexunet.cli.console import (
    console,
    error_console,
    gathered,
    print_failures,
    print_json,
    print_missing,
    print_notes,
    progress,
)
from flexunet.cli.options import AsJson, Ray, each_run, ensemble_of

if TYPE_CHECKING:
    from flexunet.data.annotations.shapes import FilmAnnotation
    from flexunet.data.derive.film_masks import FilmMasks, ModelMasks, RawFilm
    from flexunet.data.derive.run import DeriveReport, MaskSource
    from flexunet.data.dicom.deidentify import Pseudonyms
    from flexunet.data.images.color_map import ColorMap
    from flexunet.data.images.masks.reader import MaskReader


@dataclass
class _Prepared:
    """Films, what is known of them, where their masks come from, and what is wrong or missing."""

    films: list[RawFilm]
    facts: dict[str, dict[str, str]]
    masks: FilmMasks | None
    unreadable: dict[Path, str]
    gaps: dict[str, list[str]] = field(default_factory=dict)
    whole: bool = False
    dataset: str = ""


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
    from flexunet.data.derive.run import NORMAL_FOLDERS
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
        _of_dataset(
            raw, dataset, annotator or "", classes, weak_masks, model, (table, patient_pattern, normal)
        )
        if dataset
        else _of_folder(
            partial(
                _list_films,
                raw,
                normal_folders=normal or NORMAL_FOLDERS,
                masks=given,
                mask_suffix=mask_suffix if given else "",
            ),
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
    sheet = _write_sheet(report, out, reader.color_map)
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
        _print_report(report, out, sheet)
    print_notes(gathered(report.notes))
    _print_problems(report, out)
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


def _list_films(*args: Any, **options: Any) -> list[RawFilm]:
    from flexunet.data.derive.run import list_films

    return list_films(*args, **options)


def _of_dataset(
    raw: Path,
    dataset: str,
    annotator: str,
    classes: str | None,
    weak: bool,
    model: ModelMasks | None,
    told: tuple[object, ...],
) -> _Prepared:
    """What a public data set tells of its films; it tells all, so no further facts are taken."""
    from flexunet.data.collections.download import Download
    from flexunet.data.collections.registry import open_collection
    from flexunet.data.derive.collection_masks import CollectionMasks, raw_films
    from flexunet.errors import ConfigError

    if any(told):
        raise ConfigError(
            "--table, --patient-pattern and --normal are for folders of films; a data set tells these facts "
            "itself. Leave them out, or leave out --dataset."
        )
    download = Download.open(raw)
    collection = open_collection(download, dataset)
    contents = collection.contents(download, annotator)
    films = raw_films(download, contents)
    print_notes([f"{raw} is read as {collection.title}", *contents.notes])
    by_file = {film.file: own for film, own in zip(films, contents.films, strict=True)}
    masks = CollectionMasks(by_file, collection, _classes(classes), weak, model)
    facts = {file: dict(own.annotation.columns) for file, own in by_file.items()}
    return _Prepared(films, facts, masks, {}, contents.gaps, collection.whole, collection.name)


def _of_folder(
    listing: Callable[..., list[RawFilm]],
    annotations: Path | None,
    weak: bool,
    classes: str | None,
    table: Path | None,
    patient_pattern: str | None,
) -> _Prepared:
    """Films of a folder, and what outlines, tables and names tell of them."""
    from flexunet.data.dataset.matching import names_of_films
    from flexunet.data.derive.film_masks import AnnotatedMasks
    from flexunet.data.derive.film_table import (
        doubts_about_table,
        find_patients,
        join_facts,
        known_sides,
        read_film_table,
    )
    from flexunet.data.images.files.names import image_stem

    paths = [film.path for film in listing()]
    stems = list(map(image_stem, paths))
    outlines, unreadable = _read_outlines(annotations, paths, weak)
    recorded, notes = read_film_table(table) if table else ({}, [])
    print_notes([*notes, *doubts_about_table(recorded, stems)])
    recorded = {stem: recorded[name] for name, stem in names_of_films(recorded, stems).items()}
    facts = join_facts(
        find_patients(stems, patient_pattern) if patient_pattern else {},
        recorded,
        {stem: dict(outline.columns) for stem, outline in outlines.items()},
    )
    masks = AnnotatedMasks(outlines, _classes(classes)) if annotations else None
    films = listing(sides=known_sides(facts))
    if masks and (turned := masks.doubt_about_frames(films)):
        print_notes([turned])
    return _Prepared(films, facts, masks, unreadable)


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


def _read_outlines(
    annotations: Path | None, films: list[Path], weak: bool
) -> tuple[dict[str, FilmAnnotation], dict[Path, str]]:
    """The outlines by stem of the film, and what is wrong with files of the folder that belong to no film."""
    if annotations is None:
        return {}, {}
    from flexunet.data.annotations.read import read_annotations
    from flexunet.data.annotations.shapes import BROKEN
    from flexunet.data.dataset.matching import listed, names_of_films
    from flexunet.data.images.files.names import image_stem
    from flexunet.errors import counted

    outlines = read_annotations(annotations, films, fill_boxes=weak)
    meant = names_of_films(outlines, list(map(image_stem, films)))
    strangers = [name for name in outlines if name not in meant]
    notes = [*outlines.notes, *(note for film in outlines.values() for note in film.notes)]
    if strangers:
        missing = counted(len(strangers), "annotated film is", "annotated films are")
        notes.append(f"{missing} not there: {listed(strangers)}")
    print_notes(gathered(notes))
    broken = {
        annotations / name: outlines[name].reason for name in strangers if outlines[name].state == BROKEN
    }
    return {stem: outlines[name] for name, stem in meant.items()}, broken


def _classes(text: str | None) -> dict[str, int] | None:
    from flexunet.errors import ConfigError

    if text is None:
        return None
    try:
        pairs = [word.rsplit("=", 1) for word in text.split(",")]
        return {label.strip(): int(number) for label, number in pairs}
    except ValueError as error:
        raise ConfigError(f"--classes: expected LABEL=N,LABEL=N, found {text!r}.") from error


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


def _write_sheet(report: DeriveReport, out: Path, color_map: ColorMap) -> Path | None:
    from flexunet.data.images.contact_sheet import contact_sheet, overlays, spread
    from flexunet.data.images.files.write import write_image
    from flexunet.data.images.masks.reader import MaskReader

    rows = report.manifest.rows
    if not rows:
        return None
    chosen = [rows[position] for position in spread(len(rows), 48)]
    files = [(row["source"], out / row["file"], out / row["mask"]) for row in chosen]
    write_image(out / "contact_sheet.png", contact_sheet(overlays(files, MaskReader(color_map))))
    return out / "contact_sheet.png"


def _print_report(report: DeriveReport, out: Path, sheet: Path | None) -> None:
    counts = report.counts
    console.print(
        f"{counts['labelled']} of {counts['films']} films are images with masks in {out} "
        f"({counts['reused']} were finished before)",
        highlight=False,
        soft_wrap=True,
    )
    if counts["to_review"]:
        console.print(
            f"{counts['to_review']} must be checked by a person, in {out / 'to_review'}",
            highlight=False,
            soft_wrap=True,
        )
    if sheet:
        console.print(f"look at {sheet}", highlight=False, soft_wrap=True)


def _print_problems(report: DeriveReport, out: Path) -> None:
    def say(text: str) -> None:
        error_console.print(text, highlight=False, soft_wrap=True)

    for state, verb in (("excluded", "excluded"), ("failed", "not derived")):
        rows = report.of_state(state)
        for row in rows[:20]:
            say(f"{verb}: {row['raw_file']}: {row['reason']}")
        if len(rows) > 20:
            say(f"{verb}: {len(rows) - 20} more, all in {out / 'excluded.csv'}")
    for row in report.lost_on_tissue[:20]:
        say(f"check the crop: {row['source']} lost {row['lost_on_tissue']} lesion pixels that lie on tissue")
    if report.unused_masks:
        names = ", ".join(path.name for path in report.unused_masks[:5])
        say(f"note: {len(report.unused_masks)} masks belong to no film: {names}")
