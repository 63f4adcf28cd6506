"""MIAS at 50 micron: the films of mini-MIAS before they were made smaller, as picture files.

Source: Suckling, J. et al. (1994), The Mammographic Image Analysis Society digital mammogram database,
    Excerpta Medica International Congress Series 1069, 375-378; names as Oliver, A. (2007), Automatic mass
    segmentation in mammographic images, thesis, University of Girona, appendix B, describes them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flexunet.data.annotations.shapes import Circle, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum
from flexunet.data.collections.download import Download
from flexunet.data.collections.outlined.mini_mias import ERRATA, read_films
from flexunet.data.images.files.header import image_size
from flexunet.errors import FlexUNetError

NAME = "mias"
_FILM = r"(?P<film>mdb(?P<number>\d{3}))[lr][smlx]\.(?:pgm|PGM|png|tif|tiff)"
_SMALLER = 4  # times: 200 micron after 50
_MIDDLE = 512.0  # of the pictures of 1024 x 1024 pixels, in which the films were centred
_SPACING = 0.05


def read_mias_films(download: Download) -> Contents:
    """Films, with the circles of mini-MIAS's truth table (`Info.txt` beside them) put on them."""
    films = download.by_name(_FILM, "film", "film")
    contents = read_films(download, NAME, films, lambda _: _SPACING, _place)
    contents.notes.append(
        "the circles are those of mini-MIAS, whose pictures were made a quarter as large and centred: look "
        "at the contact sheet."
    )
    return contents


def _place(annotation: FilmAnnotation, path: Path) -> FilmAnnotation:
    """Circles of a small picture on the film itself, by its middle; coordinates count from its corner."""
    annotation = replace(
        annotation, columns={name: value for name, value in annotation.columns.items() if name != "side"}
    )
    try:
        width, height = image_size(path)
    except FlexUNetError:  # told when the film itself is read
        return annotation
    circles = tuple(
        Circle(
            width / 2 + _SMALLER * (shape.x + 0.5 - _MIDDLE),
            height / 2 + _SMALLER * (shape.y + 0.5 - _MIDDLE),
            _SMALLER * shape.radius,
            shape.label,
        )
        for shape in annotation.shapes
        if isinstance(shape, Circle)
    )
    return replace(annotation, shapes=circles, width=width, height=height, on_centres=False)


ROW = Collection(
    NAME,
    "MIAS at 50 micron",
    "the 322 films of mini-MIAS at full size, converted to pictures",
    "circles around lesions, by the table of mini-MIAS",
    "research only, to be cited (the licence of the database)",
    "the database of the Mammographic Image Analysis Society (MIAS)",
    _FILM,
    read_mias_films,
    "mdb001ll.png to mdb322rx.png (side l or r, size s, m, l or x), and Info.txt of mini-MIAS",
    {"films": 322, "patients": 161},
    (
        *ERRATA,
        Erratum(
            "the table's coordinates are of the small pictures, which are said to be centred; no table of "
            "the large films was found",
            "README of mini-MIAS",
        ),
        Erratum(
            "whether the letter of the side in the names agrees with odd numbers being right was not seen: "
            "the side is left open, and the picture tells it",
            "this reader",
        ),
    ),
)
