"""RSNA Screening Mammography: DICOM films with labels a breast, of a competition.

Source: Carr, C. et al. (2022), RSNA Screening Mammography Breast Cancer Detection, Kaggle.
"""

from __future__ import annotations

from flexunet.data.annotations.shapes import NORMAL, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, density_number, facts
from flexunet.data.collections.download import Download, read_rows

NAME = "rsna"
_FILM = r"(?P<part>train|test)_images/(?P<patient>\d+)/(?P<image>\d+)\.(?:dcm|png)"
_COLUMNS = ("patient_id", "image_id", "laterality", "view")


def read_rsna(download: Download) -> Contents:
    """Films by patient and image, and what the table says of each."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for file, _ in download.matching(r"(?:train|test)\.csv"):
        for row in read_rows(download.root / file, *_COLUMNS):
            rows[row["patient_id"], row["image_id"]] = row
    contents, there = Contents([]), set()
    for file, match in download.matching(_FILM):
        key = match["patient"], match["image"]
        there.add(key)
        row = rows.get(key, {})
        annotation = _annotation(row)
        columns = facts(
            dataset=NAME,
            patient=f"rsna-{match['patient']}",
            side=row.get("laterality", ""),
            view=row.get("view", ""),
            density=density_number(row.get("density", "")),
            finding="normal" if annotation.state == NORMAL else "cancer" if row.get("cancer") == "1" else "",
            pathology=_pathology(row, annotation.state),
            birads=row.get("birads", "").removesuffix(".0"),
            age=row.get("age", "").removesuffix(".0"),
            official_split=match["part"],
        )
        annotation = FilmAnnotation(annotation.state, reason=annotation.reason, columns=columns)
        contents.films.append(Film(download.root / file, "_".join(key), annotation))
        if not row:
            contents.without_outline([file])
    contents.without_either("/".join(key) for key in rows.keys() - there)
    return contents


def _annotation(row: dict[str, str]) -> FilmAnnotation:
    """A film is normal only without cancer, without biopsy, and of BI-RADS 1."""
    if not row:
        return FilmAnnotation(UNMARKED, reason="no table mentions it")
    told = row.get("cancer", ""), row.get("biopsy", ""), row.get("birads", "").removesuffix(".0")
    if told == ("0", "0", "1"):
        return FilmAnnotation(NORMAL)
    reason = "cancer {}, biopsy {}, BI-RADS {}".format(*(each or "unknown" for each in told))
    return FilmAnnotation(UNMARKED, reason=f"{reason}: the data set has no masks")


def _pathology(row: dict[str, str], state: str) -> str:
    """Cancer is malignant; a biopsy without cancer is benign."""
    if row.get("cancer") == "1":
        return "malignant"
    return "benign" if row.get("biopsy") == "1" else "normal" if state == NORMAL else ""


ROW = Collection(
    NAME,
    "RSNA Screening Mammography",
    "DICOM films of a screening competition, with cancer told a breast",
    "nothing: for drafts with --masks-from",
    "rules of the competition",
    "Kaggle, rsna-breast-cancer-detection",
    _FILM,
    read_rsna,
    "train_images/PATIENT/IMAGE.dcm and train.csv",
    errata=(
        Erratum(
            "cancer is told a breast, not a film; a film is taken for normal only without cancer and biopsy "
            "and with BI-RADS 1, and most films go to review",
            "train.csv",
        ),
    ),
)
