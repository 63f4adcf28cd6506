"""The publisher's own split, by the manifest's column `official_split`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.matching import listed
from flexunet.data.split.groups import deal_groups
from flexunet.data.split.split_images import SplitImage
from flexunet.errors import DatasetError, counted

OFFICIAL = "official"
COLUMN = "official_split"


def official_split(
    items: Sequence[SplitImage],
    groups: np.ndarray,
    strata: Sequence[str],
    shares: Mapping[str, float],
    seed: int,
    accept_leakage: bool,
) -> tuple[list[str], list[str]]:
    """Split of each image as the publisher has it.

    Publishers mostly name training and test images alone. Validation images are then taken from the training
    images, whole groups, as many as `shares` says of these two.

    Args:
        items: The images.
        groups: Group of each image: what should not be divided.
        strata: Stratum of each group.
        shares: Shares of train and valid.
        seed: Decides among groups that are alike.
        accept_leakage: Whether the official split may divide a group.

    Returns:
        The split of each image, and what a user should know, a sentence each.

    Raises:
        DatasetError: if an image has no official split, or a group is divided.
    """
    told = np.array([item.identity.row.get(COLUMN, "") for item in items], dtype=object)
    missing = [item.name for item, split in zip(items, told, strict=True) if split not in SPLITS]
    if missing:
        raise DatasetError(
            f"--by {OFFICIAL}: {counted(len(missing), 'image has', 'images have')} no {COLUMN} of "
            f"{', '.join(SPLITS)} in the manifest: {listed(missing)}. Split by patient or source instead."
        )
    divided = patients_divided(items, groups, told.tolist())
    if divided and not accept_leakage:
        raise DatasetError(
            f"--by {OFFICIAL}: the official split divides {counted(len(divided), 'patient')}: "
            f"{listed(divided)}. Test scores would be too high. Split by patient; or, to compare with others "
            "who used this split, add --i-accept-leakage."
        )
    notes = [f"the official split divides {listed(divided)}: test scores may be too high."] if divided else []
    if "valid" in told or not shares.get("valid"):
        return told.tolist(), notes
    training = np.flatnonzero(told == "train")
    numbers, group = np.unique(groups[training], return_inverse=True)
    wanted = shares["train"], shares["valid"]
    dealt = deal_groups(
        np.bincount(group),
        [strata[number] for number in numbers],
        [share / sum(wanted) for share in wanted],
        seed,
        SPLITS[:2],
    )
    told[training[dealt[group] == 1]] = "valid"
    count = np.count_nonzero(told == "valid")
    notes.append(
        f"the official split has no validation images: {count} of its training images were taken for that."
    )
    return told.tolist(), notes


def patients_divided(items: Sequence[SplitImage], groups: np.ndarray, told: Sequence[str]) -> list[str]:
    """Patients whose images are in more than one split."""
    splits: dict[int, set[str]] = defaultdict(set)
    for group, split in zip(groups.tolist(), told, strict=True):
        splits[group].add(split)
    several = {group for group, names in splits.items() if len(names) > 1}
    return sorted(
        {item.identity.patient for item, group in zip(items, groups, strict=True) if group in several}
    )
