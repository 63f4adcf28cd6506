"""BUSI: ultrasound pictures of the breast with masks.

Source: Al-Dhabyani, W. et al. (2020), Dataset of breast ultrasound images, Data in Brief 28, 104863.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Erratum, Film, MaskFiles, facts
from flexunet.data.collections.download import Download
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.read import read_mask
from flexunet.errors import FlexUNetError

NAME = "busi"
_FILE = (
    r"(?P<group>benign|malignant|normal)/(?P<picture>(?P<kind>benign|malignant|normal) \(\d+\))"
    r"(?P<mask>_mask(?:_\d+)?)?\.png"
)


def read_busi(download: Download) -> Contents:
    """Pictures by class, and all masks of each."""
    pictures: dict[str, tuple[Path, str]] = {}
    masks: dict[str, list[Path]] = defaultdict(list)
    for file, match in download.matching(_FILE):
        if match["mask"]:
            masks[match["picture"]].append(download.root / file)
        else:
            pictures[match["picture"]] = download.root / file, match["kind"]
    contents = Contents([])
    for name, (path, kind) in pictures.items():
        state, reason = _state(kind, masks.get(name, []))
        normal = kind == "normal"
        if state == UNKNOWN:
            contents.without_outline([name])
        columns = facts(
            dataset=NAME, modality="ultrasound", pathology=kind, finding="normal" if normal else "lesion"
        )
        own = () if normal else tuple(MaskFiles((mask,)) for mask in masks.get(name, ()))
        annotation = FilmAnnotation(state, reason=reason, columns=columns)
        contents.films.append(Film(path, name, annotation, own))
    contents.without_film(name for name in masks if name not in pictures)
    contents.notes.append(
        "BUSI does not name patients: pictures of one woman may come into several parts of a split. Its "
        "pictures hold duplicates, which `flexunet audit` finds."
    )
    return contents


def _state(kind: str, masks: list[Path]) -> tuple[str, str]:
    """The state of a picture and why; a normal one whose mask marks something is no normal one."""
    if kind != "normal":
        return (ANNOTATED, "") if masks else (UNKNOWN, f"it lies in {kind}, but has no mask")
    for path in masks:
        try:
            if read_mask(path, ColorMap.binary()).any():
                return BROKEN, f"{path} marks a lesion, but lies in the folder normal"
        except FlexUNetError as error:
            return BROKEN, str(error)
    return NORMAL, ""


ROW = Collection(
    NAME,
    "BUSI",
    "780 ultrasound pictures of 600 women: 437 benign, 210 malignant, 133 normal",
    "mask files, several a picture in 17 cases",
    "not found; see the page of the authors",
    "Dataset of breast ultrasound images, Data in Brief 28, 104863",
    _FILE,
    read_busi,
    "Dataset_BUSI_with_GT/benign/benign (1).png and benign (1)_mask.png",
    {"films": 780},
    (
        Erratum(
            "pictures occur twice, some of them as benign and as malignant, and some show the axilla",
            "Data in Brief 48, 109247 (PMC10293973)",
        ),
        Erratum("patients are not named", "the names of the release"),
    ),
    whole=True,
)
