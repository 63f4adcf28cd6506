"""Raw folders of nnU-Net: images and labels of one value a class, whatever they show.

Source: Isensee, F. et al. (2021), nnU-Net, Nature Methods 18, 203-211.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import Collection, Contents, Film, MaskFiles
from flexunet.data.collections.download import Download
from flexunet.data.dataset.manifest import COLUMNS, Manifest
from flexunet.data.dataset.matching import listed
from flexunet.data.dataset.nnunet import (
    DESCRIPTION,
    SPLITS_FILE,
    NnunetDescription,
    channel_name,
    read_description,
    read_splits,
)
from flexunet.data.images.label_values import read_label_values
from flexunet.errors import DatasetError, MaskError

NAME = "nnunet"
_IMAGE = (
    r"images(?P<part>Tr|Ts)/(?P<case>[^/]+)_(?P<channel>\d{4})"
    r"(?P<ending>\.(?:png|bmp|tiff?|nii(?:\.gz)?|mha))"
)
_PARTS = {"Tr": "train", "Ts": "test"}
# What a manifest beside the images says of files of another data set, or anew of this one.
_LEFT_OUT = {*COLUMNS} - {"patient"}


def read_nnunet(download: Download) -> Contents:
    """Cases of both parts, with the classes that the labels of each hold.

    Patients and other facts come from a `manifest.csv` in the folder, which `flexunet convert` writes and
    nnU-Net does not read. A case whose label file holds nothing but background is normal: somebody looked.

    Raises:
        DatasetError: if there is no `dataset.json`, or it makes no sense.
    """
    where = download.the(re.escape(DESCRIPTION), "the description of the data set")
    if where is None:
        raise DatasetError(f"{download.root} has no {DESCRIPTION}, which tells the classes of its labels.")
    about, root = read_description(where), where.parent
    cases = {
        match["case"]: match["part"]
        for file, match in download.matching(re.escape(root.name) + "/" + _IMAGE)
        if match["ending"] == about.ending
        and not int(match["channel"])
        and (download.root / file).parent.parent == root
    }
    manifest = Manifest.read(root) or Manifest()
    facts, splits = manifest.by_file, _official(root)
    contents = Contents([], notes=list(manifest.notes))
    paths = {
        case: root / f"images{part}" / channel_name(case, 0, about.ending) for case, part in cases.items()
    }
    labels = {case: root / f"labels{part}" / f"{case}{about.ending}" for case, part in cases.items()}
    with ThreadPoolExecutor(2) as pool:
        marks = dict(zip(cases, pool.map(lambda case: _marks(labels[case], about), cases), strict=True))
    for case, part in cases.items():
        annotation, masks = marks[case]
        row = facts.get(paths[case].relative_to(root).as_posix(), {})
        told = {name: value for name, value in row.items() if value and name not in _LEFT_OUT}
        split = splits.get(case, "") if part == "Tr" and splits is not None else _PARTS[part]
        columns = {"dataset": about.name or NAME, **told, **({"official_split": split} if split else {})}
        annotation = FilmAnnotation(annotation.state, reason=annotation.reason, columns=columns)
        further = tuple(
            root / f"images{part}" / channel_name(case, number, about.ending)
            for number in range(1, len(about.channels))
        )
        contents.films.append(Film(paths[case], case, annotation, masks, channels=further))
    contents.without_outline(
        case for case, part in cases.items() if part == "Tr" and not labels[case].exists()
    )
    pattern = re.escape(root.name) + r"/labelsT[rs]/(?P<case>[^/]+)" + re.escape(about.ending)
    contents.without_film({match["case"] for _, match in download.matching(pattern)} - cases.keys())
    if splits is not None and (strangers := sorted(splits.keys() - cases.keys())):
        contents.notes.append(f"{SPLITS_FILE} names cases that are not there: {listed(strangers)}")
    return contents


def _official(root: Path) -> dict[str, str] | None:
    """Part of each case by the only split of `splits_final.json`; None without one, or with several."""
    path = root / SPLITS_FILE
    splits = read_splits(path) if path.is_file() else []
    return splits[0] if len(splits) == 1 else None


def _marks(path: Path, about: NnunetDescription) -> tuple[FilmAnnotation, tuple[MaskFiles, ...]]:
    """What a label file says of a case, and a mask for each class that it holds."""
    if not path.is_file():
        return FilmAnnotation(UNMARKED, reason=f"it has no label file {path.name}"), ()
    try:
        values = set(np.unique(read_label_values(path)).tolist()) - {0}
        if unknown := values - about.labels.keys() - {about.ignored}:
            raise MaskError(
                f"labels {path} hold the value {min(unknown)}, which {DESCRIPTION} does not name: expected 0 "
                f"or {', '.join(f'{value} ({name})' for value, name in about.labels.items())}."
            )
    except MaskError as error:
        return FilmAnnotation(BROKEN, reason=str(error)), ()
    if about.ignored in values:
        return FilmAnnotation(
            UNKNOWN, reason="nobody labelled the part of it that is marked to be ignored"
        ), ()
    masks = tuple(MaskFiles((path,), about.labels[value], value) for value in sorted(values))
    return FilmAnnotation(ANNOTATED if masks else NORMAL), masks


ROW = Collection(
    NAME,
    "a raw folder of nnU-Net",
    "images of one slice with labels, of any kind; `flexunet convert` writes them",
    "label files, a value a class",
    "that of the data set in the folder",
    "your own, or anybody's who trains nnU-Net",
    _IMAGE,
    read_nnunet,
    "dataset.json, imagesTr/CASE_0000.png and labelsTr/CASE.png",
    whole=True,
)
