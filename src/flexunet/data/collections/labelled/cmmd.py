"""CMMD: Chinese mammograms with a diagnosis a breast, from The Cancer Imaging Archive.

Source: Cai, H. et al. (2023), An online mammography database with biopsy confirmed types, Scientific Data 10,
    123.
"""

from __future__ import annotations

from collections import Counter

from flexunet.data.annotations.shapes import BROKEN, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download
from flexunet.data.dicom.read import read_facts
from flexunet.data.workbook import read_sheet
from flexunet.errors import FlexUNetError

NAME = "cmmd"
_FILM = r"(?P<patient>D[12]-\d{4})/(?:[^/]+/)*[^/]+\.dcm"
_WORKBOOK = r"CMMD_clinicaldata_revision\.xlsx"
_FINDINGS = {"both": "calcification+mass"}

Breast = tuple[str, str]  # patient, and `L` or `R`


def read_cmmd(download: Download) -> Contents:
    """Films by their headers, and the diagnoses of the workbook by patient and side."""
    workbook = download.the(_WORKBOOK, "the workbook")
    rows: dict[Breast, list[dict[str, str]]] = {}
    for row in read_sheet(workbook, "id1", "leftright", "classification") if workbook else ():
        rows.setdefault((row["id1"], row["leftright"]), []).append(row)
    contents = Contents([])
    seen: Counter[str] = Counter()
    patients = set()
    for file, match in download.matching(_FILM):
        patient, path = match["patient"], download.root / file
        patients.add(patient)
        try:
            header = read_facts(path)
            side, view, problem = header.laterality, header.view, ""
        except FlexUNetError as error:
            side, view, problem = "", "", str(error)
        own = rows.get((patient, side), [])
        columns = facts(
            dataset=NAME,
            patient=patient,
            side=side,
            view=view,
            pathology=joined(row["classification"].casefold() for row in own),
            finding=joined(word for row in own for word in _findings(row)),
            age=joined(row.get("age", "").removesuffix(".0") for row in own),
        )
        told = columns.get("pathology", "") or "no diagnosis of this breast, which does not make it normal"
        reason = problem or f"{told}: the data set has no masks"
        name = "_".join(word for word in (patient, side, view) if word)
        seen[name] += 1
        annotation = FilmAnnotation(BROKEN if problem else UNMARKED, reason=reason, columns=columns)
        numbered = name if seen[name] == 1 else f"{name}_{seen[name]}"
        contents.films.append(Film(path, numbered, annotation))
    if not workbook:
        contents.without_outline(film.name for film in contents.films)
        contents.notes.append("CMMD_clinicaldata_revision.xlsx is not there: no diagnosis is known")
    contents.without_either("_".join(breast) for breast in rows if breast[0] not in patients)
    return contents


def _findings(row: dict[str, str]) -> list[str]:
    told = row.get("abnormality", "").casefold()
    return _FINDINGS.get(told, told).split("+")


ROW = Collection(
    NAME,
    "CMMD",
    "5,202 mammograms, diagnosed by biopsy; none is called normal",
    "nothing: for drafts with --masks-from",
    "CC BY 4.0",
    "cancerimagingarchive.net, DOI 10.7937/tcia.eqde-4b16",
    _FILM,
    read_cmmd,
    "CMMD/D1-0001/.../1-1.dcm and CMMD_clinicaldata_revision.xlsx",
    {"films": 5202},
    (
        Erratum(
            "the diagnosis is of one breast, which some catalogues give to both; ID1 and LeftRight decide",
            "CMMD_clinicaldata_revision.xlsx",
        ),
    ),
)
