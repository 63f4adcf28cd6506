"""BUS-BRA: ultrasound pictures of the breast with masks and BI-RADS.

Source: Gomez-Flores, W. et al. (2024), BUS-BRA: a breast ultrasound dataset for assessing computer-aided
    diagnosis systems, Medical Physics 51(4), 3110-3123.
"""

from __future__ import annotations

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts
from flexunet.data.collections.download import Download, read_rows

NAME = "bus-bra"
_FILM = r"Images/bus_(?P<name>(?P<case>\d{4})-[a-z])\.png"
_MASK = r"Masks/mask_(?P<name>\d{4}-[a-z])\.png"


def read_bus_bra(download: Download) -> Contents:
    """Pictures, the mask of each, and the row of the table; both sides of a case are one patient's."""
    pictures = download.by_name(_FILM, "name", "picture")
    masks = download.by_name(_MASK, "name", "mask")
    table = download.the(r"bus_data\.csv", "the table")
    rows = {
        row["id"].removeprefix("bus_"): row
        for row in (read_rows(table, "id", "case", "pathology") if table else ())
    }
    contents = Contents([])
    for name, (file, match) in pictures.items():
        row = rows.get(name, {})
        columns = facts(
            dataset=NAME,
            patient=f"bus-bra-{match['case']}",
            modality="ultrasound",
            finding="lesion",
            pathology=row.get("pathology", "").casefold(),
            birads=row.get("birads", ""),
        )
        own = (MaskFiles((download.root / masks[name][0],)),) if name in masks else ()
        state, reason = (ANNOTATED, "") if own else (UNKNOWN, "it has no mask")
        annotation = FilmAnnotation(state, reason=reason, columns=columns)
        contents.films.append(Film(download.root / file, f"bus_{name}", annotation, own))
    contents.without_outline(f"bus_{name}" for name in pictures.keys() - masks.keys())
    contents.without_film(f"mask_{name}" for name in masks.keys() - pictures.keys())
    contents.without_either(rows.keys() - pictures.keys() - masks.keys())
    return contents


ROW = Collection(
    NAME,
    "BUS-BRA",
    "ultrasound pictures of 1,064 patients",
    "mask files",
    "open, to be cited",
    "DOI 10.5281/zenodo.7730709",
    _FILM,
    read_bus_bra,
    "BUSBRA/Images/bus_0001-l.png, BUSBRA/Masks/mask_0001-l.png and bus_data.csv",
    {"patients": 1064},
    (Erratum("some masks are blank: their pictures are excluded", "public readers of the set"),),
    whole=True,
)
