"""INbreast: DICOM films with outlines in property lists.

Source: Moreira, I. C. et al. (2012), INbreast: toward a full-field digital mammographic database, Academic
    Radiology 19(2), 236-248.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flexunet.data.annotations.property_list import read_open_line, read_property_list
from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNKNOWN, UNMARKED, FilmAnnotation, Polygon
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download, read_rows
from flexunet.data.images.files.header import image_size
from flexunet.errors import FlexUNetError, MaskError

NAME = "inbreast"
MUSCLE = "pectoral muscle"
_FILM = r"(?P<film>\d{8})_(?P<patient>[0-9a-f]{16})_MG_(?P<side>[LR])_(?P<view>CC|ML|FB)_ANON\.(?:dcm|DCM)"
_SPACING = 0.07  # mm; the column Area of the outlines, in cm2, agrees with it
_LABELS = {
    "assymetry": "asymmetry",
    "calcifications": "calcification",
    "espiculated region": "spiculated region",
    "unnamed": "calcification",
    "point 1": "calcification",
    "point 3": "calcification",
    "": "unnamed",
}


def read_inbreast(download: Download) -> Contents:
    """Films, outlines by the film's number, and what the table says of it."""
    films = download.by_name(_FILM, "film", "film")
    outlines = download.by_name(r"(?P<film>\d{8})\.xml", "film", "annotation")
    muscles = download.by_name(r"(?P<film>\d{8})_muscle\.xml", "film", "muscle")
    table = _read_facts(download)
    contents = Contents([])
    for number, (file, match) in films.items():
        path = download.root / file
        row = table.get(number, {})
        annotation = _annotation(download, number, outlines, row)
        columns = facts(
            dataset=NAME,
            patient=match["patient"],
            side=match["side"],
            view=match["view"].replace("ML", "MLO"),
            finding=joined(shape.label for shape in annotation.shapes)
            or ("normal" if annotation.state == NORMAL else ""),
            density=row.get("acr", ""),
            birads=row.get("bi-rads", ""),
        )
        if number in muscles:
            try:
                muscle = _muscle(download.root / muscles[number][0], path, match["side"])
                annotation = replace(annotation, shapes=(muscle, *annotation.shapes))
            except FlexUNetError as error:
                contents.notes.append(f"the pectoral muscle of {number} was left out: {error}")
        contents.films.append(
            Film(path, path.stem, replace(annotation, columns=columns), spacing_mm=_SPACING)
        )
        if number not in outlines and annotation.state != NORMAL:
            contents.without_outline([file])
    contents.without_film([file for number, (file, _) in outlines.items() if number not in films])
    contents.without_either(table.keys() - films.keys() - outlines.keys())
    if not table:
        contents.notes.append(
            "INbreast.csv is not there: density and BI-RADS are unknown, and no film is known to be normal."
        )
    return contents


def _read_facts(download: Download) -> dict[str, dict[str, str]]:
    """Rows of the table by number of the film."""
    path = download.the(r"INbreast\.csv", "the table")
    if path is None:
        return {}
    rows = read_rows(path, "file name", "acr", "bi-rads")
    return {row["file name"]: row for row in rows if row["file name"]}


def _annotation(download: Download, number: str, outlines: dict, row: dict[str, str]) -> FilmAnnotation:
    """The outlines of a film; without a file it is normal only if the table gives it BI-RADS 1."""
    if number not in outlines:
        birads = row.get("bi-rads", "")
        if birads == "1":
            return FilmAnnotation(NORMAL)
        if birads:
            return FilmAnnotation(UNKNOWN, reason=f"BI-RADS {birads}, but {number}.xml is missing")
        return FilmAnnotation(UNMARKED, reason=f"neither {number}.xml nor a row of INbreast.csv tells of it")
    path = download.root / outlines[number][0]
    try:
        annotation = read_property_list(path)
    except (MaskError, OSError) as error:
        return FilmAnnotation(BROKEN, reason=str(error))
    shapes = tuple(replace(shape, label=_label(shape.label)) for shape in annotation.shapes)
    return replace(annotation, shapes=shapes)


def _label(name: str) -> str:
    name = " ".join(name.split()).casefold()
    return _LABELS.get(name, name)


def _muscle(path: Path, film: Path, side: str) -> Polygon:
    """The pectoral muscle: its edge, an open line, closed over the film's corner at the chest wall."""
    line = read_open_line(path)
    if line[0][1] > line[-1][1]:
        line = line[::-1]
    wall = float(image_size(film)[0]) if side == "R" else 0.0
    return Polygon((*line, (wall, line[-1][1]), (wall, 0.0), (line[0][0], 0.0)), MUSCLE)


ROW = Collection(
    NAME,
    "INbreast",
    "410 digital mammograms of 115 cases",
    "outlines; single calcifications as points; pectoral muscle as a line",
    "not stated in the release",
    "on request from INESC Porto (Breast Research Group)",
    _FILM,
    read_inbreast,
    "AllDICOMs/*_ANON.dcm, AllXML/*.xml, INbreast.csv",
    {"films": 410},
    (
        Erratum(
            "the view of a file name is ML where the table says MLO; the manifest says MLO",
            "README.txt and INbreast.csv of the release",
        ),
        Erratum("ACR of film 53582540 is blank: its density is unknown", "INbreast.csv of the release"),
        Erratum(
            "names of findings are misspelt (Assymetry, Espiculated Region) or missing (Unnamed, Point 1, "
            "Point 3, which public readers take for calcifications)",
            "AllXML of the release",
        ),
        Erratum(
            "one patient can have two studies; the patient stands in the DICOM file name alone",
            "README.txt of the release",
        ),
    ),
    tissues=frozenset({MUSCLE}),
    on_top=("calcification", "mass"),
)
