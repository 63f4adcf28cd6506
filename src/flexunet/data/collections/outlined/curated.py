"""The curated collection: films of BCDR, CBIS-DDSM, CSAW-S and INbreast, cropped, enhanced and selected.

Source: repository pablogiaccaglia/Breast-Cancer-Segmentation-Datasets.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts
from flexunet.data.collections.download import Download

NAME = "curated"
_FILE = r"(?P<set>[A-Z]+(?:-MASS|-CALC)?)-SELECTED-(?P<what>IMGS|MASKS|MSKS)/(?P<stem>[^/]+)___PRE\.png"
# How the names of films and of masks say which film they mean, and of whom.
_NAMES = {
    "BCDR": r"(?P<film>patient_(?P<patient>\d+)_study_\d+_img_\d+_\d+_\d+_(?P<side>[LR])(?P<view>CC|O))"
    r"(?:_MASK)?",
    "CBIS": r"(?P<film>(?:Mass|Calc)-(?P<split>Training|Test)_(?P<patient>P_\d{5})_(?P<side>L|R)(?:EFT|IGHT)_"
    r"(?P<view>CC|MLO))_(?:FULL|MASK(?:_(?P<lesion>\d+))?)",
    "CSAW": r"CSAW-(?:Image|Mask)-(?P<film>\d+)\.png",
    "INBREAST": r"(?P<film>\d{8})(?:_(?P<patient>[0-9a-f]{16})_MG_(?P<side>[LR])_(?P<view>CC|ML|FB)_ANON)?",
}
_VIEWS = {"O": "MLO", "ML": "MLO"}
_SPLITS = {"Training": "train", "Test": "test"}


@dataclass
class _Pair:
    """A film and its masks, by number of the lesion; "" where lesions were merged or nobody counted."""

    film: tuple[Path, str, dict[str, str]] | None = None
    masks: dict[str, Path] = field(default_factory=dict)


def read_curated(download: Download) -> Contents:
    """Films and masks of the four parts, each by its own rule of names."""
    pairs: dict[tuple[str, str], _Pair] = defaultdict(_Pair)
    contents = Contents([])
    for file, match in download.matching(_FILE):
        part = match["set"].partition("-")[0]
        named = re.fullmatch(_NAMES.get(part, ""), match["stem"])
        if named is None:
            contents.notes.append(
                f"{file} is named like no film and no mask of {match['set']}; it was left out"
            )
            continue
        pair, told = pairs[match["set"], named["film"]], named.groupdict()
        if match["what"] == "IMGS":
            pair.film = download.root / file, match["stem"].removesuffix(".png"), told
        else:
            pair.masks[told.get("lesion") or ""] = download.root / file
    views = [_view(pair) for pair in pairs.values() if pair.film]
    for (part, _), pair in sorted(pairs.items()):
        if pair.film is None:
            contents.without_film(path.name for path in pair.masks.values())
            continue
        path, name, told = pair.film
        reason = _incomplete(pair) or (
            "this view lies there for masses and for calcifications, each without the other's mask"
            if views.count(_view(pair)) > 1 and _view(pair)[0]
            else ""
        )
        if not pair.masks:
            contents.without_outline([path.name])
        patient, view = told.get("patient") or "", told.get("view") or ""
        columns = facts(
            dataset=f"{NAME} {part}",
            patient=f"bcdr-{patient}" if part == "BCDR" else patient,
            side=told.get("side") or "",
            view=_VIEWS.get(view, view),
            finding={"CBIS-MASS": "mass", "CBIS-CALC": "calcification"}.get(part, "lesion"),
            official_split=_SPLITS.get(told.get("split") or "", ""),
        )
        annotation = FilmAnnotation(UNKNOWN if reason else ANNOTATED, reason=reason, columns=columns)
        masks = tuple(MaskFiles((mask,)) for mask in pair.masks.values())
        contents.films.append(Film(path, name, annotation, masks))
    contents.notes.append("films of CSAW have running numbers: their patients are not known")
    return contents


def _view(pair: _Pair) -> tuple[str, str, str]:
    told = pair.film[2] if pair.film and "lesion" in pair.film[2] else {}
    return told.get("patient", ""), told.get("side", ""), told.get("view", "")


def _incomplete(pair: _Pair) -> str:
    """Why the masks of a film are not all of its masks; "" if nothing says so."""
    if not pair.masks:
        return "it has no mask"
    numbers = sorted(int(number) for number in pair.masks if number)
    if "" not in pair.masks and numbers != list(range(1, len(numbers) + 1)):
        return f"of its lesions, only {numbers} are in the masks"
    return ""


ROW = Collection(
    NAME,
    "the curated collection",
    "809 selected films of BCDR, CBIS-DDSM, CSAW-S and INbreast, cropped and enhanced",
    "mask files",
    "not found; each part has its own",
    "repository pablogiaccaglia/Breast-Cancer-Segmentation-Datasets",
    _FILE,
    read_curated,
    "CBIS-MASS-SELECTED-IMGS/*___PRE.png and CBIS-MASS-SELECTED-MASKS/*___PRE.png",
    {"films": 809},
    (
        Erratum(
            "masks numbered 2 or 4 alone (P_01365, P_00510) lack the other lesions: such films are excluded",
            "the listing of the repository",
        ),
        Erratum("CSAW films have running numbers: patients are lost", "the listing of the repository"),
        Erratum("masks of INbreast are simple ovals; the selection was made by eye", "its README"),
    ),
)
