"""What a split deals out: every image with its mask, and what may not be separated from what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flexunet.data.dataset.identity import Identity, find_patient
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.dataset.pairs import Pair, find_pairs
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import DatasetError, PairingError
from flexunet.progress import Progress, silent

UNITS = ("patient", "source", "file")
_AREA_STRATA = 4
_FEW_VALUES = 10  # a numeric column with more values than this is cut into quantiles


@dataclass(frozen=True)
class SplitImage:
    """One image with its mask.

    Attributes:
        pair: The image, its mask, and whose image it is.
        name: Stem under which both are written.
        class_name: Class folder it lies in, or the manifest's column `class`.
        sha256: Of the image file.
    """

    pair: Pair
    name: str
    class_name: str
    sha256: str

    @property
    def identity(self) -> Identity:
        """Whose image it is."""
        return self.pair.identity


def collect_items(
    root: Path | str, progress: Progress = silent, *, patients: re.Pattern[str] | None = None
) -> list[SplitImage]:
    """Find all pairs below a folder, whatever its layout, sorted by name.

    Args:
        root: The folder.
        progress: Told how far reading is.
        patients: Finds the patient in the name of an image's source; where it finds none, manifest and file
            name tell as without it.

    Raises:
        PathError: if there is no data set.
        PairingError: if images and masks do not match.
        DatasetError: if two images would be written under one name, or `patients` finds none at all.
    """
    root = Path(root)
    found = []
    for folder in find_layout(root):
        if folder.masks is None:
            raise PairingError(
                f"{folder.images} has no folder of masks beside it. Put the masks into a folder `masks` with "
                "the names of the images; images without a lesion need an empty mask."
            )
        found += [(folder, pair) for pair in find_pairs(folder.images, folder.masks)]
    stems = Counter(pair.stem for _, pair in found)
    items = []
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(sha256_of, [pair.image_path for _, pair in found])
        for done, ((folder, pair), digest) in enumerate(zip(found, digests, strict=True), 1):
            identity = pair.identity.told_by(patients) if patients else pair.identity
            class_name = identity.row.get("class") or folder.class_name
            stem = pair.stem
            # Image (1) of Cancer and image (1) of Non-Cancer are two pictures.
            clash = stems[stem] > 1 and class_name
            name = f"{class_name}_{stem}" if clash else stem
            if clash and not identity.row.get("source"):
                source = f"{class_name}_{identity.source}"
                patient = identity.patient if identity.patient_known else source
                identity = replace(identity, source=source, patient=patient)
            items.append(SplitImage(replace(pair, identity=identity), name, class_name, digest))
            progress("read", done, len(found))
    _refuse_one_name_twice(items)
    if patients and not any(find_patient(patients, pair.source) for _, pair in found):
        raise DatasetError(
            f"--patient-pattern {patients.pattern!r} fits no image, for example not {found[0][1].source!r}."
        )
    return sorted(items, key=lambda item: item.name)


def group_items(items: Sequence[SplitImage], by: str, same: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    """Which items may not be separated.

    Args:
        items: The items.
        by: `patient` keeps patients (and sources) together, `source` the copies of one original image,
            `file` nothing.
        same: Pairs of positions that are known to show the same picture.

    Returns:
        Number of the group of each item, `(len(items),)`; groups count from 0 in order of appearance. Files
        with the same content belong together, except by `file`.
    """
    if by not in UNITS:
        raise DatasetError(f"--by must be one of {', '.join(UNITS)}, not {by!r}.")
    labels = np.arange(len(items))
    if by == "file":
        return labels
    keys = [[("source", item.identity.source) for item in items], [("sha256", item.sha256) for item in items]]
    if by == "patient":
        keys.append([("patient", item.identity.patient) for item in items])
    first: dict[tuple[str, str], int] = {}
    links = list(same)
    for column in keys:
        links += [(first.setdefault(key, position), position) for position, key in enumerate(column)]
    return connected_labels(len(items), links)


def connected_labels(count: int, links: Sequence[tuple[int, int]]) -> np.ndarray:
    """Connected components of `count` nodes, numbered in order of their first node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.array(links, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def stratum_of_groups(
    items: Sequence[SplitImage],
    groups: np.ndarray,
    stratify: str,
    masks: MaskReader,
    progress: Progress = silent,
) -> list[str]:
    """Name of the stratum of each group.

    Args:
        items: The items.
        groups: Group of each item.
        stratify: `lesion-area` (no lesion, then quarters of the groups by the mean area of their lesions),
            `class`, a column of the manifest, or `none`.
        masks: How masks are read, for `lesion-area`.
        progress: Told how many masks are read.

    Raises:
        DatasetError: if there is no such column.
        MaskError: if a mask cannot be read.
    """
    count = int(groups.max()) + 1
    if stratify == "none":
        return ["all"] * count
    if stratify == "lesion-area":
        areas = _lesion_areas(items, masks, progress)
        mean = np.bincount(groups, areas, count) / np.bincount(groups, minlength=count)
        return _area_names(mean)
    values = [
        item.class_name if stratify == "class" else item.identity.row.get(stratify, "") for item in items
    ]
    if not any(values):
        columns = sorted({column for item in items for column, value in item.identity.row.items() if value})
        raise DatasetError(
            f"--stratify {stratify}: the manifest has no such column. Expected lesion-area, class, none or "
            f"one of: {', '.join(columns) or '(no manifest)'}."
        )
    members: list[list[str]] = [[] for _ in range(count)]
    for group, value in zip(groups, values, strict=True):
        members[group].append(value)
    commonest = [max(sorted(set(m)), key=m.count) for m in members]
    numbers = _as_numbers(commonest)
    if numbers is not None and len(set(commonest)) > _FEW_VALUES:
        return [f"{stratify} quarter {int(q) + 1}" for q in _quarters(numbers)]
    return [f"{stratify} {value or '(none)'}" for value in commonest]


def _lesion_areas(items: Sequence[SplitImage], masks: MaskReader, progress: Progress) -> np.ndarray:
    areas = np.zeros(len(items))
    with ThreadPoolExecutor(2) as pool:
        for position, area in enumerate(
            pool.map(lambda item: _lesion_area(item.pair.mask_path, masks), items)
        ):
            areas[position] = area
            progress("masks", position + 1, len(items))
    return areas


def _lesion_area(mask: Path, masks: MaskReader) -> float:
    read = masks.lenient.read(mask)
    if masks.color_map.ignore is not None:
        read, _ = without_ignored(read)
    return float((read > 0).mean())


def _area_names(mean: np.ndarray) -> list[str]:
    names = np.full(len(mean), "no lesion", dtype=object)
    present = mean > 0
    if present.any():
        names[present] = [f"lesion area quarter {int(q) + 1}" for q in _quarters(mean[present])]
    return names.tolist()


def _quarters(values: np.ndarray) -> np.ndarray:
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return ranks * _AREA_STRATA // len(values)


def _as_numbers(values: Sequence[str]) -> np.ndarray | None:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return None


def _refuse_one_name_twice(items: Sequence[SplitImage]) -> None:
    taken: dict[str, SplitImage] = {}
    for item in items:
        other = taken.setdefault(item.name.lower(), item)  # Windows does not tell A.png from a.png
        if other is not item:
            raise DatasetError(
                f"{other.pair.image_path} and {item.pair.image_path} would both be written as {item.name}. "
                "Rename one of them with its mask."
            )
