"""CBIS-DDSM: scanned films with a mask file an abnormality, from The Cancer Imaging Archive.

Source: Lee, R. S. et al. (2017), A curated mammography data set for use in computer-aided detection and
    diagnosis research, Scientific Data 4, 170177.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNKNOWN, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts, joined
from flexunet.data.collections.download import Download, read_rows
from flexunet.data.dataset.matching import listed

NAME = "cbis-ddsm"
_SUBJECT = (
    r"(?P<kind>Mass|Calc)-(?P<split>Training|Test)_(?P<view>P_\d{5}_(?:LEFT|RIGHT)_(?:CC|MLO))"
    r"(?:_(?P<abnormality>\d+))?"
)
_FILE = rf"{_SUBJECT}/(?:[^/]+/)*[^/]+\.(?:dcm|DCM|png)"
_TABLE = r"(?P<kind>mass|calc)_case_description_(?P<split>train|test)_set\.csv"
_LABELS = {"Mass": "mass", "Calc": "calcification"}
_SPLITS = {"Training": "train", "Test": "test"}

Abnormality = tuple[str, str]  # `Mass` or `Calc`, and its number: each table counts for itself


@dataclass
class _View:
    """A view of a breast: one film, which may lie there twice, for its masses and for its calcifications."""

    films: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    files: dict[Abnormality, list[Path]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[Abnormality, Mapping[str, str]] = field(default_factory=dict)
    splits: set[str] = field(default_factory=set)


def read_cbis_ddsm(download: Download) -> Contents:
    """Films by patient, side and view; all abnormalities of both tables are pooled."""
    views: dict[str, _View] = defaultdict(_View)
    for file, match in download.matching(_FILE):
        view, path = views[match["view"]], download.root / file
        view.splits.add(_SPLITS[match["split"]])
        if match["abnormality"]:
            view.files[match["kind"], match["abnormality"]].append(path)
        else:
            view.films[match["kind"]].append(path)
    tables = download.matching(_TABLE)
    for file, match in tables:
        for row in read_rows(download.root / file, "patient_id", "abnormality id", "pathology"):
            name = "_".join((row["patient_id"], row["left or right breast"], row["image view"]))
            views[name].rows[match["kind"].title(), row["abnormality id"]] = row
            views[name].splits.add(match["split"])
    contents = Contents([])
    for name, view in sorted(views.items()):
        _add(contents, name, view)
    splits: dict[str, set[str]] = defaultdict(set)
    for name, view in views.items():
        splits[name[:7]] |= view.splits
    if leaks := [patient for patient, both in splits.items() if len(both) > 1]:
        contents.notes.append(
            f"the official split leaks: {len(leaks)} patients are in train and in test ({listed(leaks)}). "
            "Split by patient."
        )
    if missing := {"mass", "calc"} - {match["kind"] for _, match in tables}:
        contents.notes.append(
            f"no table of {' and '.join(sorted(missing))}_case_description: facts are missing, and films may "
            "show further lesions that nobody can know of here."
        )
    return contents


def _add(contents: Contents, name: str, view: _View) -> None:
    """Add the film of a view, and what it lacks."""
    wanted = view.rows.keys() | view.files.keys()
    if not view.films:
        contents.without_film(["_".join((name, *each)) for each in view.files])
        contents.without_either(["_".join((name, *each)) for each in view.rows if each not in view.files])
        return
    kind = max(view.films)  # of two scans of one film, that of the masses
    path, *more = view.films[kind]
    lacking = sorted(wanted - view.files.keys())
    state, reason = ANNOTATED, ""
    if more:
        state, reason = BROKEN, f"{path} and {more[0]} may be its film: keep one"
    elif lacking or not wanted:
        told = ", ".join(" ".join(each) for each in lacking) or "its abnormalities"
        state, reason = UNKNOWN, f"there is no mask of {told}"
        contents.without_outline(["_".join((name, *each)) for each in lacking] or [name])
    if len(view.films) > 1:
        contents.notes.append(f"{name} lies there for masses and for calcifications: one film, masks united")
    rows = view.rows.values()
    columns = facts(
        dataset=NAME,
        patient=name[:7],
        side=name[8],
        view=name.rpartition("_")[2],
        density=joined(row.get("breast_density") or row.get("breast density", "") for row in rows),
        finding=joined(_LABELS[each] for each, _ in wanted),
        pathology=joined(row["pathology"].casefold().replace("_", " ") for row in rows),
        birads=joined(row.get("assessment", "") for row in rows),
        subtlety=joined(row.get("subtlety", "") for row in rows),
        official_split=joined(view.splits),
    )
    masks = tuple(MaskFiles(tuple(files), _LABELS[each]) for (each, _), files in sorted(view.files.items()))
    annotation = FilmAnnotation(state, reason=reason, columns=columns)
    contents.films.append(Film(path, name, annotation, masks))


ROW = Collection(
    NAME,
    "CBIS-DDSM",
    "scanned films with masses and calcifications, none normal; official split",
    "mask files, one an abnormality",
    "CC BY 3.0",
    "cancerimagingarchive.net/collection/cbis-ddsm, DOI 10.7937/K9/TCIA.2016.7O02S9CY; the four tables "
    "*_case_description_*_set.csv too",
    _FILE,
    read_cbis_ddsm,
    "Mass-Training_P_00001_LEFT_CC/STUDY/SERIES/1-1.dcm, or the folders of the download program",
    {"patients": 1566},
    (
        Erratum(
            "the official split leaks: P_00041 and others are in train of one table and in test of the other",
            "mass_case_description_train_set.csv and calc_case_description_test_set.csv",
        ),
        Erratum(
            "mask and crop of an abnormality are swapped in the tables, and the order of their files tells "
            "nothing; size and content decide",
            "huggingface.co/datasets/ACSG-64/CBIS-DDSM-description-corrected",
        ),
        Erratum(
            "masks of another size than their film: those of P_00145, P_00379 and P_00381 are scaled; mask 2 "
            "of P_00353 LEFT CC and LEFT MLO has other proportions, and the film is excluded",
            "github.com/fjeg/ddsm_tools/issues/5",
        ),
        Erratum(
            "paths in the tables end in a line break within quotes, and name files that are called otherwise "
            "on disk; the names of the folders count",
            "the four tables of the release",
        ),
    ),
    on_top=("calcification", "mass"),
)
