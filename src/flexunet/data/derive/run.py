"""Derive: from a folder of raw films to a data set of square images with masks.

    derive("Original Dataset", "derived", masks=AnnotatedMasks(read_annotations("outlines.csv")))

writes `derived/images`, `derived/masks`, `derived/manifest.csv` (with the crop box of each image),
`derived/to_review` (what a person has to look at) and `derived/excluded.csv` (what was left out, and why).
Every finished film is noted in `derived/derive_journal.jsonl` at once: a run that was interrupted goes on
where it stopped.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from flexunet.cluster import work_on_cluster
from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.dataset.matching import masks_among
from flexunet.data.dataset.status import DRAFT as DRAFT_STATUS
from flexunet.data.derive.film import FAILED, DeriveJob, DeriveSettings, Row, derive_film
from flexunet.data.derive.film_masks import (
    DRAFT,
    EXCLUDED,
    LABELLED,
    TO_REVIEW,
    FilmMasks,
    MaskDraft,
    ModelMasks,
    NoMasks,
    RawFilm,
)
from flexunet.data.derive.record import finished_rows, remove_stale, write_records
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.listing import is_for_programs, is_image_file, unread_pictures
from flexunet.data.images.files.names import ARRAY_SUFFIX, image_stem
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.reader import survey_range
from flexunet.errors import FlexUNetError, PathError, counted
from flexunet.files import sweep
from flexunet.journal import append_to_journal
from flexunet.locks import locked_output
from flexunet.progress import Progress, silent
from flexunet.workers import work_in_processes

JOURNAL = "derive_journal.jsonl"
NORMAL_FOLDERS = ("Non-Cancer", "Normal")

MaskSource = Callable[[np.ndarray], MaskDraft]


@dataclass
class DeriveReport:
    """What a run of `derive` did.

    Attributes:
        rows: Journal rows of all films, sorted by raw file.
        manifest: The manifest written.
        unused_masks: Mask files that belong to no film.
        notes: What a user should know, one sentence each.
    """

    rows: list[Row]
    manifest: Manifest
    unused_masks: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Films by what became of them; `reused` counts those that an earlier run had finished."""
        states = Counter(row["state"] for row in self.rows)
        counts = {state: states.get(state, 0) for state in (LABELLED, TO_REVIEW, EXCLUDED, FAILED)}
        return {"films": len(self.rows), **counts, "reused": sum("reused" in row for row in self.rows)}

    def of_state(self, state: str) -> list[Row]:
        """Rows of one state: `labelled`, `to_review`, `excluded` or `failed`."""
        return [row for row in self.rows if row["state"] == state]

    @property
    def lost_on_tissue(self) -> list[Row]:
        """Rows whose crop cut off or cleared lesion pixels that are as bright as tissue."""
        return [row for row in self.rows if int(row.get("lost_on_tissue") or 0)]


def list_films(
    raw: Path | str,
    *,
    normal_folders: Sequence[str] = NORMAL_FOLDERS,
    sides: Mapping[str, str] | None = None,
    masks: Path | None = None,
    mask_suffix: str = "",
) -> list[RawFilm]:
    """List the raw films in a folder and the folders below it.

    A film's group is the folder it lies in. Its name is its stem, with the group before it where two films
    have the same stem.

    Args:
        raw: The folder.
        normal_folders: Names of folders (in any case) whose films are known to show no lesion.
        sides: `L` or `R` by stem, where it is known.
        masks: Folder of the masks; where it is that of the films, files named like masks are no films.
        mask_suffix: What masks have after the name of their film.

    Raises:
        PathError: if the folder is missing, empty, or holds masks beside images.
    """
    raw = Path(raw)
    if not raw.is_dir():
        what = "is a file, not a folder" if raw.exists() else "does not exist"
        raise PathError(f"raw folder {raw} {what}. Check the path.")
    paths = sorted(
        path
        for path in raw.rglob("*")
        if not any(map(is_for_programs, path.relative_to(raw).parts[:-1])) and is_image_file(path)
    )
    if beside := masks_among(paths, mask_suffix):
        if masks is None or masks.resolve() != raw.resolve():
            raise PathError(
                f"{raw} holds {len(beside)} masks beside films, {beside[0].name} for example. Give the "
                f"folder itself with --masks {raw}, or move the masks elsewhere."
            )
        paths = [path for path in paths if path not in set(beside)]
    if not paths:
        raise PathError(f"no images in {raw} or the folders below it.{unread_pictures(raw)}")
    parents = {path.parent for path in paths}
    folders = sorted(
        parent.name for parent in parents if re.match(r"masks?\b", parent.name, re.I) and parent != raw
    )
    if folders:
        raise PathError(
            f"{raw} holds masks beside images ({', '.join(folders)}). Give the folder of the images alone, "
            "and that of the masks with --masks."
        )
    stems = Counter(image_stem(path) for path in paths)
    normal = {name.casefold() for name in normal_folders}
    films = []
    for path in paths:
        group = path.parent.name if path.parent != raw else ""
        stem = image_stem(path)
        name = stem if stems[stem] == 1 else f"{group}_{stem}" if group else stem
        side = (sides or {}).get(stem, "")
        films.append(
            RawFilm(path, path.relative_to(raw).as_posix(), name, group, group.casefold() in normal, side)
        )
    twice = [name for name, count in Counter(film.name for film in films).items() if count > 1]
    if twice:
        raise PathError(
            f"{raw} holds several films named {twice[0]!r} ({len(twice)} such names). Rename them: the name "
            "tells films apart."
        )
    return films


def derive(
    raw: Path | str,
    out: Path | str,
    *,
    settings: DeriveSettings | None = None,
    masks: FilmMasks | None = None,
    films: Sequence[RawFilm] | None = None,
    mask_source: MaskSource | None = None,
    color_map: ColorMap | None = None,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    jobs: int = 0,
    ray: str | None = None,
    progress: Progress = silent,
) -> DeriveReport:
    """Make a data set from raw films.

    Args:
        raw: Folder of the films, directly or in folders a class (`Cancer`, `Non-Cancer`).
        out: Folder of the data set. What an earlier run finished there is kept.
        settings: How images are made.
        masks: Where masks come from; the model when there is one, else nowhere, when left out.
        films: The films, as `list_films` gives them; listed when left out.
        mask_source: The model that drafts masks, asked about each image `(H, W, 3)` for which `masks` is
            `ModelMasks`.
        color_map: Colours of the classes; black and white when left out.
        columns: Further columns of the manifest (`patient`, `density`, ...) by raw file, or by stem of the
            film.
        jobs: Worker processes; one a processor when 0.
        ray: Address of a Ray cluster that derives in place of processes; see `work_on_cluster`.
        progress: Told how many films are done, and the name of the last.

    Returns:
        What was done.

    Raises:
        PathError: if a folder is missing, or `out` holds something else already.
        RunLockedError: if another process writes `out`.
        OutOfMemoryError: if the system ended a worker process.
    """
    raw, out = Path(raw), Path(out)
    films = list_films(raw) if films is None else films
    _check_out(raw, out)
    with locked_output(out):
        sweep(out, alone=True, below=True)
        previous = finished_rows(out / JOURNAL)
        if masks is None:
            masks = ModelMasks("unnamed") if mask_source else NoMasks()
        settings = settings or DeriveSettings()
        survey = survey_range(film.path for film in films)
        if settings.grey_range == "auto":
            settings = replace(settings, grey_range=survey.rule if survey.count else "full")
        notes = [note for note in [survey.note(settings.grey_range, "films")] if note]
        job = DeriveJob(out, settings, masks, color_map or ColorMap.binary(), previous)
        rows: list[Row] = []
        derive = partial(derive_film, job=job)
        made = (
            work_on_cluster(derive, films, ray)
            if ray
            else work_in_processes(derive, films, jobs or os.cpu_count() or 1)
        )
        for row in made:
            if row["state"] == DRAFT:
                row = _draft(row, job, mask_source)
            if "reused" not in row:
                append_to_journal(out / JOURNAL, row)
            rows.append(row)
            progress("derive", len(rows), len(films), row["source"])
        rows.sort(key=lambda row: row["raw_file"])
        remove_stale(out, previous, rows)
        manifest = write_records(out, rows, columns or {}, settings.pseudonyms)
        notes += [row["note"] for row in rows if row.get("note")]
        if personal := sum("personal" in row for row in rows):
            notes.append(
                f"manifest.csv has the PatientID of {counted(personal, 'film')}, which is personal data: "
                "derive with --deidentify before the data set leaves your institution."
            )
        return DeriveReport(rows, manifest, list(getattr(job.masks, "unused", ())), notes)


def _check_out(raw: Path, out: Path) -> None:
    if out.resolve() == raw.resolve() or raw.resolve() in out.resolve().parents:
        raise PathError(
            f"{out} lies inside the raw folder {raw}: its images would be taken for films next time."
        )
    if not (out / JOURNAL).exists():
        taken = [name for name in ("images", "masks", "manifest.csv", "train") if (out / name).exists()]
        if taken:
            raise PathError(
                f"{out} already holds {', '.join(taken)}, which derive did not write. Choose an empty folder."
            )


def _draft(row: Row, job: DeriveJob, mask_source: MaskSource | None) -> Row:
    """Ask the model for the mask of an image just made, and decide whether a person has to look at it."""
    if mask_source is None:
        raise FlexUNetError("masks are to come from a model, but derive was given none (mask_source).")
    array = row["file"].endswith(ARRAY_SUFFIX)
    draft = mask_source(read_image(job.out / row["file"], None if array else 3))
    min_confidence = getattr(job.masks, "min_confidence", 0.0)
    reasons = []
    if draft.confidence < min_confidence:
        reasons.append(f"confidence {draft.confidence:.3f} is below {min_confidence:g}")
    if not draft.mask.any():
        reasons.append("the model found no lesion, but the folder does not say normal")
    name = Path(row["file"]).name
    folder = "to_review/" if reasons else ""
    row = row | {
        "state": TO_REVIEW if reasons else LABELLED,
        "reason": "; ".join(reasons),
        "status": DRAFT_STATUS,
        "mask": f"{folder}masks/{Path(name).stem}.png",
        "confidence": f"{draft.confidence:.4f}",
        "entropy": f"{draft.entropy:.4f}",
        "lesion_pixels": str(int(np.count_nonzero(draft.mask))),
    }
    write_mask(job.out / row["mask"], draft.mask, job.color_map)
    row["mask_sha256"] = sha256_of(job.out / row["mask"])
    if reasons:
        wanted = job.out / folder / "images" / name
        wanted.parent.mkdir(parents=True, exist_ok=True)
        (job.out / row["file"]).replace(wanted)
        row["file"] = f"{folder}images/{name}"
    return row
