"""EMBED: digital and synthetic mammograms of Emory, with boxes for some of them.

Source: Jeong, J. J. et al. (2023), The EMory BrEast imaging Dataset (EMBED), Radiology: Artificial
    Intelligence 5(1), e220047.
"""

from __future__ import annotations

import re
from collections import defaultdict

from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNMARKED, Box, FilmAnnotation
from flexunet.data.collections.collection import (
    Collection,
    Contents,
    Erratum,
    Film,
    facts,
    joined,
    list_boxes,
)
from flexunet.data.collections.download import Download, read_rows
from flexunet.errors import MaskError

NAME = "embed"
_FILM = r"cohort_\d+/(?P<patient>\d+)/[^/]+/(?P<film>[\w.]+)\.dcm"
_TABLE = r"(?:.*/)?EMBED_OpenData_(?:\w+_)?{}(?:_reduced)?\.csv"
_BOXES = "dcm_roi_coords"
_BIRADS = {"A": "0", "N": "1", "B": "2", "P": "3", "S": "4", "M": "5", "K": "6"}
_PATHOLOGIES = {"0": "malignant", "1": "malignant", "4": "benign", "5": "benign"}

Rows = list[dict[str, str]]


def read_embed(download: Download) -> Contents:
    """Films, the row of the metadata of each, and the findings of its examination in its breast."""
    metadata = download.the(_TABLE.format("metadata"), "the table of films")
    clinical = download.the(_TABLE.format("clinical"), "the table of findings")
    films = download.by_name(_FILM, "film", "film")
    rows = {
        re.split(r"[/\\]", row["anon_dicom_path"])[-1].removesuffix(".dcm"): row
        for row in (read_rows(metadata, "anon_dicom_path", "acc_anon") if metadata else ())
    }
    findings: dict[str, Rows] = defaultdict(list)
    for finding in read_rows(clinical, "acc_anon", "side", "asses") if clinical else ():
        findings[finding["acc_anon"]].append(finding)
    contents = Contents([])
    for name, (file, match) in films.items():
        row = rows.get(name, {})
        side = row.get("imagelateralityfinal", "")
        own = [each for each in findings.get(row.get("acc_anon", ""), ()) if _concerns(each, side)]
        birads = joined(_BIRADS.get(each["asses"], "") for each in own)
        try:
            boxes, problem = _boxes(row.get(_BOXES, "")), ""
        except MaskError as error:
            boxes, problem = (), f"{name}: {error}"
        normal = (
            bool(own) and all(each["asses"] == "N" for each in own) and row.get("num_roi") in ("0", "0.0")
        )
        columns = facts(
            dataset=NAME,
            patient=f"embed-{match['patient']}",
            side=side,
            view=row.get("viewposition", ""),
            modality="synthetic"
            if re.sub(r"\W", "", row.get("finalimagetype", "")).lower() == "cview"
            else "",
            density=joined(each.get("tissueden", "").removesuffix(".0") for each in own).replace("5", ""),
            finding="normal" if normal else "",
            pathology=joined(_PATHOLOGIES.get(each.get("path_severity", "")[:1], "") for each in own),
            birads=birads,
            boxes=list_boxes(boxes),
        )
        reason = problem or f"BI-RADS {birads or 'unknown'}: the data set has no masks"
        state = BROKEN if problem else NORMAL if normal else UNMARKED
        annotation = FilmAnnotation(state, reason="" if normal else reason, columns=columns)
        contents.films.append(Film(download.root / file, name, annotation, boxes=boxes))
    contents.without_outline(name for name in films if name not in rows)
    lost = [name for name in rows if name not in films]
    contents.without_film(name for name in lost if rows[name].get(_BOXES, "").strip("[] "))
    contents.without_either(name for name in lost if not rows[name].get(_BOXES, "").strip("[] "))
    if any("roi_coords" in row and _BOXES not in row for row in rows.values()):
        contents.notes.append(
            "the table has ROI_coords alone, in pixels of pictures that may be mirrored: boxes were left out"
        )
    return contents


def _concerns(finding: dict[str, str], side: str) -> bool:
    """Whether a row tells of this breast; one without a side tells of both."""
    return finding["side"] in (side, "B", "")


def _boxes(text: str) -> tuple[Box, ...]:
    """`[[[ymin, xmin, ymax, xmax], ...]]`, nested as deep as the table likes."""
    words = re.findall(r"[^\s\[\](),]+", text)
    if len(words) % 4 or not all(re.fullmatch(r"-?\d{1,6}(?:\.\d+)?", word) for word in words):
        raise MaskError(f"expected boxes of four numbers, found {text[:60]!r}")
    numbers = [max(0.0, float(word)) for word in words]
    corners = zip(*(numbers[start::4] for start in range(4)), strict=True)
    return tuple(Box.of(left, top, right, bottom, "lesion") for top, left, bottom, right in corners)


ROW = Collection(
    NAME,
    "EMBED",
    "480,323 digital and synthetic mammograms of 22,382 patients",
    "boxes for some films; masks only with --weak-masks",
    "on application, not commercial",
    "github.com/Emory-HITI/EMBED_Open_Data",
    _FILM,
    read_embed,
    "cohort_1/PATIENT/STUDY/UID.dcm, EMBED_OpenData_metadata*.csv and EMBED_OpenData_clinical*.csv",
    errata=(
        Erratum(
            "boxes are ymin, xmin, ymax, xmax, and those of the PNG pictures may be mirrored against DICOM: "
            "only DCM_ROI_coords are taken",
            "NUS_roi_reference.ipynb of Emory-HITI/EMBED_Open_Data",
        ),
        Erratum(
            "joined by the examination alone, findings of one breast come to films of the other: the side "
            "counts too",
            "README of Emory-HITI/EMBED_Open_Data",
        ),
    ),
)
