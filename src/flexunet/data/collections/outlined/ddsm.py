"""DDSM, the original: scanned films with chain codes; the films converted from their obsolete LJPEG form.

Source: Heath, M. et al. (2001), The digital database for screening mammography, Proc. 5th International
    Workshop on Digital Mammography, 212-218.
"""

from __future__ import annotations

import re
from pathlib import Path

from flexunet.data.annotations.chain_codes import Abnormality, read_overlay
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, facts, joined
from flexunet.data.collections.download import Download
from flexunet.data.images.files.header import image_size
from flexunet.data.tables import decode_text
from flexunet.errors import FlexUNetError

NAME = "ddsm"
_NAME = r"(?P<name>(?P<case>[A-Z]_\d{4})_\d+\.(?P<view>(?:LEFT|RIGHT)_(?:CC|MLO)))"
_FILM = rf"{_NAME}(?:\.LJPEG)?\.(?:png|tif|tiff|PNG|TIF)"
_CASE = r"(?P<case>[A-Z]-\d{4})-\d+\.ics"
_VIEW = re.compile(
    r"(?P<view>(?:LEFT|RIGHT)_(?:CC|MLO)) LINES (?P<height>\d+) PIXELS_PER_LINE (?P<width>\d+)"
    r" BITS_PER_PIXEL \d+ RESOLUTION (?P<micron>[\d.]+) (?P<overlay>\w+)"
)
_BIRADS = re.compile("[0-5]")


def read_ddsm(download: Download) -> Contents:
    """Films, the overlay of each, and the size, density and age that the file of its case tells."""
    films = download.by_name(_FILM, "name", "film")
    overlays = download.by_name(rf"{_NAME}\.OVERLAY", "name", "overlay")
    cases = download.by_name(_CASE, "case", "case file")
    texts = {
        case.replace("-", "_"): " ".join(decode_text(download.root / file, "case file")[0].split())
        for case, (file, _) in cases.items()
    }
    contents = Contents([])
    for name, (file, match) in films.items():
        text, path = texts.get(match["case"], ""), download.root / file
        view = next((each for each in _VIEW.finditer(text) if each["view"] == match["view"]), None)
        marked: tuple[Abnormality, ...] = ()
        state, reason = _unmarked(view, bool(re.search(r"/normals?_\d+/", f"/{match[0]}")))
        if name in overlays:
            try:
                marked, state, reason = read_overlay(download.root / overlays[name][0]), ANNOTATED, ""
            except FlexUNetError as error:
                state, reason = BROKEN, str(error)
        if state == UNKNOWN:
            contents.without_outline([file])
        assessments = (each.words.get("ASSESSMENT", "") for each in marked)
        columns = facts(
            dataset=NAME,
            patient=match["case"],
            side=match["view"][0],
            view=match["view"].rpartition("_")[2],
            density=_told("DENSITY", text),
            age=_told("PATIENT_AGE", text),
            finding=joined(word for each in marked for word in each.outline.label.split("+"))
            or ("normal" if state == NORMAL else ""),
            pathology=joined(each.words.get("PATHOLOGY", "").casefold().replace("_", " ") for each in marked),
            birads=joined(each for each in assessments if _BIRADS.fullmatch(each)),
            subtlety=joined(each.words.get("SUBTLETY", "") for each in marked),
        )
        width, height = (int(view["width"]), int(view["height"])) if view else (None, None)
        shapes = tuple(each.outline for each in marked)
        annotation = FilmAnnotation(state, shapes, width, height, reason=reason, columns=columns)
        contents.films.append(Film(path, name, annotation, spacing_mm=_spacing(path, view)))
    contents.without_film(overlays.keys() - films.keys())
    there = {match["case"] for _, match in films.values()} | {match["case"] for _, match in overlays.values()}
    contents.without_either(texts.keys() - there)
    if raw := len(download.matching(rf"{_NAME}\.LJPEG")):
        contents.notes.append(f"{raw} films are LJPEG, which no kept library reads: convert them to PNG")
    return contents


def _unmarked(view: re.Match[str] | None, normal: bool) -> tuple[str, str]:
    """The state of a film without overlay; it is normal only in a volume of normal cases."""
    if view and view["overlay"] == "OVERLAY":
        return UNKNOWN, "its case file tells of an overlay, which is missing"
    if normal:
        return NORMAL, ""
    return UNMARKED, "it has no overlay, and does not lie in a volume of normal cases"


def _told(key: str, text: str) -> str:
    match = re.search(rf"\b{key} (\d+)", text)
    return match[1] if match else ""


def _spacing(path: Path, view: re.Match[str] | None) -> float | None:
    """Side of a pixel in mm of the converted film, which may have another size than the scan."""
    if view is None:
        return None
    try:
        return float(view["micron"]) / 1000 * int(view["width"]) / image_size(path)[0]
    except (FlexUNetError, ValueError):
        return None


ROW = Collection(
    NAME,
    "DDSM",
    "scanned films of 2,620 cases, four a case",
    "chain codes of outlines",
    "not found; see its page",
    "eng.usf.edu/cvprg/Mammography/Database.html",
    _FILM,
    read_ddsm,
    "case3013/B_3013_1.LEFT_CC.png (converted), B_3013_1.LEFT_CC.OVERLAY and B-3013-1.ics",
    {"patients": 2620},
    (
        Erratum("films are LJPEG, which no kept library reads: they are read once converted", "its page"),
        Erratum("cores lie within their boundary: they are no holes and no further lesions", "its page"),
    ),
)
