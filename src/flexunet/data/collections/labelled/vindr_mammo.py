"""VinDr-Mammo: digital mammograms with a box a finding.

Source: Nguyen, H. T. et al. (2023), VinDr-Mammo: a large-scale benchmark dataset for computer-aided diagnosis
    in full-field digital mammography, Scientific Data 10, 277.
"""

from __future__ import annotations

import ast
from collections import defaultdict

from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNMARKED, Box, FilmAnnotation
from flexunet.data.annotations.values import read_frame
from flexunet.data.collections.collection import (
    Collection,
    Contents,
    Erratum,
    Film,
    density_number,
    facts,
    joined,
    list_boxes,
)
from flexunet.data.collections.download import Download, read_rows
from flexunet.errors import MaskError

NAME = "vindr-mammo"
_ID = "[0-9a-f]{32}"
_FILM = rf"(?P<study>{_ID})/(?P<image>{_ID})\.(?:dicom|dcm)"
_NOTHING = "no finding"
_COORDINATES = ("xmin", "ymin", "xmax", "ymax")
_COLUMNS = ("image_id", "finding_categories", *_COORDINATES)

Rows = list[dict[str, str]]


def read_vindr_mammo(download: Download) -> Contents:
    """Films, and the findings of each; boxes stay boxes."""
    films = download.by_name(_FILM, "image", "film")
    table = download.the(r"finding_annotations\.csv", "the table of findings")
    findings: dict[str, Rows] = defaultdict(list)
    for row in read_rows(table, *_COLUMNS) if table else ():
        findings[row["image_id"]].append(row)
    contents = Contents([])
    for image, (file, match) in films.items():
        rows = findings.get(image, [])
        try:
            labels = sorted({label for row in rows for label in _categories(row)})
            boxes = tuple(box for row in rows if (box := _box(row)))
            annotation = _annotation(rows, labels, boxes)
        except MaskError as error:
            labels, boxes, annotation = [], (), FilmAnnotation(BROKEN, reason=str(error))
        told = rows[0] if rows else {}
        birads = joined(_number(row.get("finding_birads", "")) for row in rows)
        columns = facts(
            dataset=NAME,
            patient=match["study"],
            side=told.get("laterality", ""),
            view=told.get("view_position", ""),
            density=density_number(told.get("breast_density", "")[-1:]),
            finding="normal" if annotation.state == NORMAL else joined(set(labels) - {_NOTHING}),
            birads=birads or _number(told.get("breast_birads", "")),
            official_split={"training": "train"}.get(told.get("split", ""), told.get("split", "")),
            boxes=list_boxes(boxes),
        )
        known = FilmAnnotation(
            annotation.state,
            width=annotation.width,
            height=annotation.height,
            reason=annotation.reason,
            columns=columns,
        )
        contents.films.append(Film(download.root / file, image, known, boxes=boxes))
    contents.without_outline(image for image in films if image not in findings)
    lost = findings.keys() - films.keys()
    boxed = {image for image in lost if any(row["xmin"] for row in findings[image])}
    contents.without_film(boxed)
    contents.without_either(lost - boxed)
    return contents


def _annotation(rows: Rows, labels: list[str], boxes: tuple[Box, ...]) -> FilmAnnotation:
    """The state of a film: normal only if it is said to have no finding, in a breast of BI-RADS 1 or 2."""
    if not rows:
        return FilmAnnotation(UNMARKED, reason="the table of findings does not mention it")
    width, height = read_frame(rows[0].get("width"), rows[0].get("height"), rows[0]["image_id"])
    birads = _number(rows[0].get("breast_birads", ""))
    if labels == [_NOTHING] and birads in ("1", "2") and not boxes:
        return FilmAnnotation(NORMAL, (), width, height)
    reason = f"{', '.join(labels)}, breast of BI-RADS {birads or 'unknown'}: the data set has no masks"
    return FilmAnnotation(UNMARKED, (), width, height, reason=reason)


def _categories(row: dict[str, str]) -> list[str]:
    """A Python list as text."""
    try:
        names = ast.literal_eval(row["finding_categories"])
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return [name.casefold() for name in names]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    raise MaskError(
        f"{row['image_id']}: expected a list of findings, found {row['finding_categories'][:60]!r}."
    )


def _box(row: dict[str, str]) -> Box | None:
    """The box of a finding within its film; None where there is none."""
    given = [row[name] for name in _COORDINATES]
    if not any(given):
        return None
    try:
        left, top, right, bottom = map(float, given)
    except ValueError as error:
        raise MaskError(f"{row['image_id']}: expected a box of four numbers, found {given}.") from error
    width, height = read_frame(row.get("width"), row.get("height"), row["image_id"])
    left, right = (min(max(value, 0.0), float(width or value)) for value in (left, right))
    top, bottom = (min(max(value, 0.0), float(height or value)) for value in (top, bottom))
    if not (left < right and top < bottom):
        raise MaskError(f"{row['image_id']}: the box {given} has no area on its film.")
    return Box.of(left, top, right, bottom, joined(_categories(row)))


def _number(text: str) -> str:
    return text.rpartition(" ")[2]


ROW = Collection(
    NAME,
    "VinDr-Mammo",
    "20,000 digital mammograms of 5,000 studies, official split",
    "boxes; masks only with --weak-masks",
    "PhysioNet, credentialed access",
    "physionet.org/content/vindr-mammo/1.0.0",
    _FILM,
    read_vindr_mammo,
    "images/STUDY/IMAGE.dicom and finding_annotations.csv",
    {"films": 20000, "patients": 5000},
    (
        Erratum("boxes begin left of the film (-6.25): they are cut off there", "finding_annotations.csv"),
        Erratum(
            "films without finding in breasts of BI-RADS 3 and more are not taken for normal",
            "finding_annotations.csv",
        ),
    ),
)
