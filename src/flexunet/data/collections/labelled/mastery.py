"""Mammogram Mastery: films in folders Cancer and Non-Cancer, without masks.

Source: Aqdar, K. B. et al. (2024), Mendeley Data, fvjhtskg93, version 1.
"""

from __future__ import annotations

from collections import Counter

from flexunet.data.annotations.shapes import NORMAL, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts
from flexunet.data.collections.download import Download

NAME = "mastery"
_FILM = r"Original Dataset/(?P<group>Cancer|Non-Cancer)/(?P<name>[^/]+)\.(?:jpg|JPG|jpeg|png)"
_COPY = r"Augmented Dataset/(?:Cancer|Non-Cancer)/[^/]+\.(?:jpg|JPG|jpeg|png)"


def read_mastery(download: Download) -> Contents:
    """The original films; augmented copies of them are left out."""
    found = download.matching(_FILM)
    names = Counter(match["name"] for _, match in found)
    contents = Contents([])
    for file, match in found:
        cancer = match["group"] == "Cancer"
        columns = facts(
            dataset=NAME,
            pathology="malignant" if cancer else "",
            finding="cancer" if cancer else "",
        )
        annotation = FilmAnnotation(
            UNMARKED if cancer else NORMAL,
            reason="it shows cancer, and the data set has no masks" if cancer else "",
            columns=columns,
        )
        name = match["name"] if names[match["name"]] == 1 else f"{match['group']}_{match['name']}"
        contents.films.append(Film(download.root / file, name, annotation))
    if copies := len(download.matching(_COPY)):
        contents.notes.append(
            f"{copies} augmented copies were left out: they show the same films, and a split would part them"
        )
    contents.notes.append("patients, sides and views are not named in this data set")
    return contents


ROW = Collection(
    NAME,
    "Mammogram Mastery",
    "745 films: 125 with cancer, 620 without; 9,685 augmented copies are left out",
    "nothing: for drafts with --masks-from",
    "CC BY 4.0",
    "Mendeley Data, fvjhtskg93, version 1",
    _FILM,
    read_mastery,
    "Original Dataset/Cancer/*.jpg and Original Dataset/Non-Cancer/*.jpg",
    {"films": 745},
    (
        Erratum(
            "Non-Cancer is taken for normal, as the published system does; the data set does not say whether "
            "benign findings are among them",
            "the folders of the release",
        ),
        Erratum("patients are not named", "the folders of the release"),
    ),
)
