"""BCDR: films with an outline a row of a table.

Source: Guevara Lopez, M. A. et al. (2012), BCDR: a breast cancer digital repository, 15th International
    Conference on Experimental Mechanics.
"""

from __future__ import annotations

import re
from collections import defaultdict

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNMARKED, FilmAnnotation, Polygon
from flexunet.data.annotations.values import read_points
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download, read_rows
from flexunet.errors import MaskError

NAME = "bcdr"
_NAME = r"(?P<name>img_(?P<patient>\d+)_\d+_\d+_(?P<side>[LR])(?P<view>CC|O))"
_FILM = rf"(?:patient_\d+_study_\d+_)?{_NAME}\.(?:tif|TIF|tiff)"
_TABLE = r"bcdr_[a-z]+\d+_outlines\w*\.csv"
_FINDINGS = {
    "mammography_nodule": "mass",
    "mammography_calcification": "calcification",
    "mammography_microcalcification": "microcalcification",
    "mammography_axillary_adenopathy": "axillary adenopathy",
    "mammography_architectural_distortion": "architectural distortion",
    "mammography_stroma_distortion": "stroma distortion",
}
_PATHOLOGIES = {"benign": "benign", "malign": "malignant"}

Rows = list[tuple[str, dict[str, str]]]  # where a row stands, and its cells


def read_bcdr(download: Download) -> Contents:
    """Films, and the outlines of the table; folders and names of both forms mean the same film."""
    films = download.by_name(_FILM, "name", "film")
    tables = [file for file, _ in download.matching(_TABLE)]
    outlines: dict[str, Rows] = defaultdict(list)
    contents = Contents([])
    for file in tables:
        for row in read_rows(download.root / file, "image_filename", "lw_x_points", "lw_y_points"):
            match = re.search(_NAME, row["image_filename"])
            if match:
                outlines[match["name"]].append((file, row))
            else:
                contents.without_film([row["image_filename"]])
    for name, (file, match) in films.items():
        rows = outlines.get(name, [])
        columns = facts(
            dataset=NAME,
            patient=f"bcdr-{match['patient']}",
            side=match["side"],
            view="MLO" if match["view"] == "O" else match["view"],
            density=joined(row.get("density", "") for _, row in rows),
            finding=joined(word for _, row in rows for word in _label(row).split("+")),
            pathology=joined(_pathology(row) for _, row in rows),
            age=joined(row.get("age", "") for _, row in rows),
        )
        contents.films.append(Film(download.root / file, name, _annotation(rows, columns)))
    if not tables:
        contents.without_outline(films)
    contents.without_film(outlines.keys() - films.keys())
    return contents


def _annotation(rows: Rows, columns: dict[str, str]) -> FilmAnnotation:
    """The outlines of a film; one without a row is not surely normal."""
    if not rows:
        reason = "no table of outlines mentions it, which does not make it normal"
        return FilmAnnotation(UNMARKED, reason=reason, columns=columns)
    try:
        shapes = tuple(_outline(row, where) for where, row in rows)
    except MaskError as error:
        return FilmAnnotation(BROKEN, reason=str(error), columns=columns)
    return FilmAnnotation(ANNOTATED, shapes, columns=columns)


def _outline(row: dict[str, str], where: str) -> Polygon:
    where = f"{where}, segmentation {row.get('segmentation_id', '')} of {row['image_filename']}"
    across, down = row["lw_x_points"].split(), row["lw_y_points"].split()
    if len(across) != len(down) or len(across) < 3:
        raise MaskError(
            f"{where}: an outline needs at least three points, as many x as y; found {len(across)} x and "
            f"{len(down)} y."
        )
    return Polygon(read_points(zip(across, down, strict=True), where), _label(row))


def _label(row: dict[str, str]) -> str:
    return joined(label for flag, label in _FINDINGS.items() if row.get(flag) == "1") or "lesion"


def _pathology(row: dict[str, str]) -> str:
    told = row.get("classification", "").casefold()
    return _PATHOLOGIES.get(told, told)


ROW = Collection(
    NAME,
    "BCDR",
    "films with outlined lesions, of a repository in Porto",
    "outlines in a table",
    "not found; on registration",
    "bcdr.eu, on registration",
    _FILM,
    read_bcdr,
    "patient_2/study_3/img_2_3_1_LO.tif and bcdr_d02_outlines.csv",
    errata=(
        Erratum(
            "the word for a malignant lesion is Malign, that for an oblique view is O",
            "bcdr_d02_outlines.csv",
        ),
        Erratum(
            "numbers of patients are taken to mean the same person in all parts (d01, d02, ...), which no "
            "source says: two parts read together may unite two persons in one split, never part one",
            "this reader",
        ),
    ),
)
