"""mini-MIAS: scanned films of 1024 x 1024 pixels with a circle a lesion.

Source: Suckling, J. et al. (1994), The Mammographic Image Analysis Society digital mammogram database,
    Excerpta Medica International Congress Series 1069, 375-378.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from flexunet.data.annotations.mias import read_mias
from flexunet.data.annotations.shapes import ANNOTATED, UNMARKED, Annotations, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download
from flexunet.data.images.files.header import image_size
from flexunet.errors import FlexUNetError

NAME = "mini-mias"
_FILM = r"(?P<film>mdb(?P<number>\d{3}))\.(?:pgm|PGM|png)"
_FINDINGS = {
    "CALC": "calcification",
    "CIRC": "circumscribed mass",
    "SPIC": "spiculated mass",
    "MISC": "ill-defined mass",
    "ARCH": "architectural distortion",
    "ASYM": "asymmetry",
    "NORM": "normal",
}
_TISSUES = {"F": "fatty", "G": "fatty-glandular", "D": "dense-glandular"}
_PATHOLOGIES = {"B": "benign", "M": "malignant"}
_ON_BLACK = ("mdb212", "mdb214")


def read_mini_mias(download: Download) -> Contents:
    """Films, and what the truth table says of each; films 2k - 1 and 2k are one person's."""
    return read_films(download, NAME, download.by_name(_FILM, "film", "film"), _spacing)


def read_films(
    download: Download,
    dataset: str,
    films: Mapping[str, tuple[str, re.Match[str]]],
    spacing_of: Callable[[Path], float | None],
    place: Callable[[FilmAnnotation, Path], FilmAnnotation] = lambda annotation, _: annotation,
) -> Contents:
    """Films with the facts and circles of the truth table, in whatever frame a release has them.

    Args:
        download: The download.
        dataset: What the manifest calls the data set.
        films: Path of each film by its name in the table, and the match that has its number.
        spacing_of: Side of a pixel in mm.
        place: Brings circles of the table into the frame of a film.
    """
    table = download.the(r"(?:Info|info)\.txt", "the truth table")
    truth = read_mias(table) if table else Annotations()
    contents = Contents([], notes=list(truth.notes))
    for name, (file, match) in films.items():
        path, known = download.root / file, truth.get(name)
        if known is None:
            known = FilmAnnotation(UNMARKED, reason="the truth table does not mention it")
            contents.without_outline([file])
        shapes = tuple(
            replace(shape, label=_FINDINGS.get(shape.label, shape.label)) for shape in known.shapes
        )
        columns = _facts(dataset, int(match["number"]), known.columns)
        annotation = place(replace(known, shapes=shapes, columns=columns), path)
        contents.films.append(Film(path, name, annotation, spacing_mm=spacing_of(path)))
        if name in _ON_BLACK and shapes:
            contents.notes.append(f"{name}: the circle lies on the black beside the breast; look at its mask")
    contents.without_film(name for name in truth.keys() - films.keys() if truth[name].state == ANNOTATED)
    contents.without_either(name for name in truth.keys() - films.keys() if truth[name].state != ANNOTATED)
    return contents


def _facts(dataset: str, number: int, told: Mapping[str, str]) -> dict[str, str]:
    findings = told.get("finding", "").split("+")
    severities = told.get("severity", "").split("+")
    return facts(
        dataset=dataset,
        patient=f"mias{(number + 1) // 2:03d}",
        side="R" if number % 2 else "L",
        view="MLO",
        tissue=_TISSUES.get(told.get("tissue", ""), ""),
        finding=joined(_FINDINGS.get(each, each) for each in findings),
        pathology="normal"
        if findings == ["NORM"]
        else joined(_PATHOLOGIES.get(each, "") for each in severities),
    )


def _spacing(path: Path) -> float | None:
    """Side of a pixel in mm: 200 micron at 1024 pixels, by the database's own page; None if unreadable."""
    try:
        return 0.2 * 1024 / image_size(path)[0]
    except FlexUNetError:
        return None


ERRATA = (
    Erratum(
        "mdb059, mdb216, mdb233 and mdb245 are abnormal, but have no coordinates: they are excluded",
        "Info.txt, note 4",
    ),
    Erratum("the circles of mdb212 and mdb214 lie on black", "Info.txt, and the films"),
    Erratum("mdb144 is benign and malignant, a lesion each", "Info.txt"),
)
ROW = Collection(
    NAME,
    "mini-MIAS",
    "322 scanned films of 161 patients, oblique views",
    "circles around lesions",
    "research only, to be cited, not to be sold (its Licence.txt)",
    "the database of the Mammographic Image Analysis Society (MIAS)",
    _FILM,
    read_mini_mias,
    "mdb001.pgm to mdb322.pgm, Info.txt",
    {"films": 322, "patients": 161},
    ERRATA,
)
