"""CDD-CESM: contrast-enhanced mammograms, low energy and subtracted, with regions of the VGG annotator.

Source: Khaled, R. et al. (2022), Categorized contrast enhanced mammography dataset for diagnostic and
    artificial intelligence research, Scientific Data 9, 122.
"""

from __future__ import annotations

from dataclasses import replace

from flexunet.data.annotations.shapes import ANNOTATED, NORMAL, UNKNOWN, UNMARKED, Annotations, FilmAnnotation
from flexunet.data.annotations.via import read_via_table
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download
from flexunet.data.dataset.matching import listed
from flexunet.data.images.files.names import name_stem
from flexunet.data.workbook import read_sheet

NAME = "cdd-cesm"
_FILM = r"(?P<name>P(?P<patient>\d+)_(?P<side>[LR])_(?P<kind>DM|CM)_(?P<view>CC|MLO)) ?\.(?:jpg|JPG|jpeg)"
_REGIONS = r"Radiology_hand_drawn_segmentations_v\d\.csv"
_WORKBOOK = r"Radiology[- ]manual[- ]annotations\.xlsx"
_PATHOLOGY = "pathology classification/ follow up"
_MODALITIES = {"DM": "low energy", "CM": "subtracted"}


def read_cdd_cesm(download: Download) -> Contents:
    """Films, regions by file name, and what the workbook says of each film."""
    films = download.by_name(_FILM, "name", "film")
    regions = download.the(_REGIONS, "the table of regions")
    marked = read_via_table(regions) if regions else Annotations()
    table = _read_workbook(download)
    contents = Contents([])
    unmarked = []
    for name, (file, match) in films.items():
        row = table.get(name, {})
        annotation = marked.get(name) or FilmAnnotation(UNMARKED)
        if annotation.state == UNMARKED:
            annotation = _unmarked(row)
            unmarked += [name] if annotation.state == UNKNOWN else []
        low_energy = table.get(name.replace("_CM_", "_DM_"), {})  # density stands in those rows alone
        density = low_energy.get("breast density (acr)", "")
        columns = facts(
            dataset=NAME,
            patient=f"P{match['patient']}",
            side=match["side"],
            view=match["view"],
            modality=_MODALITIES[match["kind"]],
            density=density if density != "_" else "",
            finding=_parts(row.get("findings", "")) or _finding(annotation.state),
            pathology=row.get(_PATHOLOGY, "").casefold(),
            birads=_parts(row.get("birads", "")),
            age=row.get("age", ""),
        )
        contents.films.append(Film(download.root / file, name, replace(annotation, columns=columns)))
    if not regions:
        contents.without_outline(films)
    contents.without_film(marked.keys() - films.keys())
    contents.without_either(table.keys() - films.keys() - marked.keys())
    if unmarked:
        contents.notes.append(
            f"{len(unmarked)} films are benign or malignant by the workbook, but have no region, and are "
            f"excluded: {listed(unmarked)}"
        )
    if not table:
        contents.notes.append(
            "the workbook Radiology-manual-annotations.xlsx is not there: no film is known to be normal, and "
            "density, BI-RADS and pathology are unknown."
        )
    return contents


def _finding(state: str) -> str:
    return {NORMAL: "normal", ANNOTATED: "lesion"}.get(state, "")


def _unmarked(row: dict[str, str]) -> FilmAnnotation:
    """A film without regions is normal only if the workbook calls it so."""
    pathology = row.get(_PATHOLOGY, "").casefold()
    if pathology == "normal":
        return FilmAnnotation(NORMAL)
    if pathology:
        return FilmAnnotation(UNKNOWN, reason=f"{pathology} by the workbook, but no region was drawn")
    return FilmAnnotation(UNMARKED, reason="no region was drawn, and the workbook does not call it normal")


def _read_workbook(download: Download) -> dict[str, dict[str, str]]:
    path = download.the(_WORKBOOK, "the workbook")
    if path is None:
        return {}
    rows = read_sheet(path, "image_name", _PATHOLOGY, sheet="all")
    named = {name_stem(row["image_name"]).strip().replace("_CESM_", "_CM_"): row for row in rows}
    return {name: row for name, row in named.items() if name}


def _parts(text: str) -> str:
    """Several values in one cell are joined by `$`."""
    return joined(part.strip().casefold() for part in text.split("$") if part.strip() != "_")


ROW = Collection(
    NAME,
    "CDD-CESM",
    "2,006 contrast-enhanced mammograms of 326 patients, low energy and subtracted",
    "polygons, ellipses, circles and points",
    "not found; see the page of the archive",
    "cancerimagingarchive.net, DOI 10.7937/29kw-ae92",
    _FILM,
    read_cdd_cesm,
    "P1_L_DM_MLO.jpg and P1_L_CM_MLO.jpg, Radiology_hand_drawn_segmentations_v2.csv, the workbook",
    {"films": 2006, "patients": 326, "lesions": 2971},
    (
        Erratum(
            "low-energy and subtracted films of one view are not aligned: each has its own regions, never "
            "put on the other",
            "Radiology_hand_drawn_segmentations_v2.csv: P6_L is shifted by (82, -96)",
        ),
        Erratum(
            "about a third of the regions are ellipses, circles or points, not outlines; `mask_origin` tells",
            "Radiology_hand_drawn_segmentations_v2.csv",
        ),
        Erratum(
            "ten regions are open lines, which have no area; their films are excluded",
            "Radiology_hand_drawn_segmentations_v2.csv",
        ),
    ),
)
