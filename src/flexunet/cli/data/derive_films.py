"""What `flexunet derive` crops: the films, what is known of them, and where their masks come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.cli.console import gathered, print_notes

if TYPE_CHECKING:
    from flexunet.data.annotations.shapes import FilmAnnotation
    from flexunet.data.derive.film_masks import FilmMasks, ModelMasks, RawFilm


@dataclass
class Prepared:
    """Films, what is known of them, where their masks come from, and what is wrong or missing."""

    films: list[RawFilm]
    facts: dict[str, dict[str, str]]
    masks: FilmMasks | None
    unreadable: dict[Path, str]
    gaps: dict[str, list[str]] = field(default_factory=dict)
    whole: bool = False
    dataset: str = ""


def of_dataset(
    raw: Path,
    dataset: str,
    annotator: str,
    classes: str | None,
    weak: bool,
    model: ModelMasks | None,
    told: tuple[object, ...],
) -> Prepared:
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
    return Prepared(films, facts, masks, {}, contents.gaps, collection.whole, collection.name)


def of_folder(
    raw: Path,
    normal: list[str] | None,
    masks_of: tuple[Path, str] | None,
    annotations: Path | None,
    weak: bool,
    classes: str | None,
    table: Path | None,
    patient_pattern: str | None,
) -> Prepared:
    """Films of a folder, and what outlines, tables and names tell of them.

    `masks_of` is a folder of masks that may lie among the films, and how their names end.
    """
    from flexunet.data.dataset.matching import names_of_films
    from flexunet.data.derive.film_masks import AnnotatedMasks
    from flexunet.data.derive.film_table import (
        doubts_about_table,
        find_patients,
        join_facts,
        known_sides,
        read_film_table,
    )
    from flexunet.data.derive.run import NORMAL_FOLDERS, list_films
    from flexunet.data.images.files.names import image_stem

    folder, suffix = masks_of or (None, "")
    listing = partial(
        list_films, raw, normal_folders=normal or NORMAL_FOLDERS, masks=folder, mask_suffix=suffix
    )
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
    return Prepared(films, facts, masks, unreadable)


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
