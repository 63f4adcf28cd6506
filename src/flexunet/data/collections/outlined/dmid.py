"""DMID: scanned and digital mammograms with masks of regions.

Source: Oza, P. et al. (2024), Digital mammography dataset for breast cancer diagnosis research (DMID),
    Biomedical Engineering Letters 14, 317-330.
"""

from __future__ import annotations

from flexunet.data.annotations.shapes import ANNOTATED, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts
from flexunet.data.collections.download import Download

NAME = "dmid"
_NAME = r"(?P<name>IMG\d+)\.(?:tif|TIF|tiff)"
_FILM = rf"TIFF Images/{_NAME}"
_MASK = rf"ROI Masks/{_NAME}"


def read_dmid(download: Download) -> Contents:
    """Films and masks of one name."""
    films = download.by_name(_FILM, "name", "film")
    masks = download.by_name(_MASK, "name", "mask")
    contents = Contents([])
    for name, (file, _) in films.items():
        own = (MaskFiles((download.root / masks[name][0],)),) if name in masks else ()
        annotation = FilmAnnotation(
            ANNOTATED if own else UNMARKED,
            reason="" if own else "it has no mask: it is normal, or its mask was not downloaded",
            columns=facts(dataset=NAME, finding="lesion" if own else ""),
        )
        contents.films.append(Film(download.root / file, name, annotation, own))
    if not masks:
        contents.without_outline(films)
    contents.without_film(masks.keys() - films.keys())
    contents.notes.append(
        "patients, sides and views of DMID are not read: its Metadata.xlsx is not known here"
    )
    return contents


ROW = Collection(
    NAME,
    "DMID",
    "510 mammograms with masks of their regions",
    "mask files",
    "CC BY 4.0",
    "figshare, DOI 10.6084/m9.figshare.24522883",
    _FILM,
    read_dmid,
    "TIFF Images/TIFF Images/IMG001.tif and ROI Masks/ROI Masks/IMG001.tif",
    {"films": 510},
    (
        Erratum(
            "films without mask are said to be normal; a film whose mask was not downloaded looks the same, "
            "so they go to review",
            "the folders of the release",
        ),
    ),
)
