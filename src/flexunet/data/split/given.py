"""The split that a file gives, image by image, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.matching import listed
from flexunet.data.images.files.names import image_stem
from flexunet.data.split.folds import FoldPlan
from flexunet.data.split.official import patients_divided
from flexunet.data.split.plan import SplitPlan
from flexunet.data.split.split_file import SplitFile
from flexunet.data.split.split_images import SplitImage
from flexunet.errors import DatasetError, counted

GIVEN = "given"


def plan_given(plan: SplitPlan, file: SplitFile, *, accept_leakage: bool = False) -> FoldPlan:
    """Split the images of a plan as a file says; images that it does not name are left out.

    Args:
        plan: From `plan_split` by patient; its items, groups and strata are used, its splits are not.
        file: From `read_split_file`.
        accept_leakage: Whether the file may divide the images of a patient.

    Returns:
        A plan for each fold of the file, or the only one.

    Raises:
        DatasetError: if the file names images that are not there, its folds do not name the same images, or
            a patient is divided.
    """
    positions = _positions(plan.items)
    folds = [_by_position(file, fold, positions, len(plan.items)) for fold in file.folds]
    kept = sorted(folds[0])
    for number, fold in enumerate(folds[1:], 2):
        if other := sorted(fold.keys() ^ folds[0].keys()):
            names = listed([plan.items[position].name for position in other])
            raise DatasetError(
                f"{file.path}: folds 1 and {number} do not name the same images: {names}. Name each in all "
                "folds, or split fold by fold."
            )
    own = _only(plan, kept)
    return FoldPlan(
        [
            _plan_of(
                own, file, [fold[position] for position in kept], number, accept_leakage, len(plan.items)
            )
            for number, fold in enumerate(folds, 1)
        ]
    )


def _positions(items: Sequence[SplitImage]) -> dict[str, int]:
    """Position of each image by what a file may call it; names that several have are left out."""
    found: dict[str, set[int]] = defaultdict(set)
    for position, item in enumerate(items):
        for name in (item.name, item.pair.stem, image_stem(item.pair.image_path)):
            found[name].add(position)
    return {name: positions.pop() for name, positions in found.items() if len(positions) == 1}


def _by_position(
    file: SplitFile, fold: Mapping[str, str], positions: Mapping[str, int], count: int
) -> dict[int, str]:
    if strangers := [name for name in fold if name not in positions]:
        raise DatasetError(
            f"{file.path} names {counted(len(strangers), 'image')} that the data set does not have, or has "
            f"several times: {listed(strangers)}. The split of others can be made of the same images alone; "
            "take the rows out for a part of it."
        )
    named = {positions[name]: split for name, split in fold.items()}
    others = dict.fromkeys(range(count), file.others) if file.others else {}
    return {**others, **named}


def _only(plan: SplitPlan, kept: Sequence[int]) -> SplitPlan:
    """The plan of some of its images, their groups numbered anew."""
    numbers, groups = np.unique(plan.groups[list(kept)], return_inverse=True)
    place = {position: new for new, position in enumerate(kept)}
    return replace(
        plan,
        items=[plan.items[position] for position in kept],
        groups=groups,
        strata=[plan.strata[number] for number in numbers],
        copies=[(place[a], place[b]) for a, b in plan.copies if a in place and b in place],
        by=GIVEN,
    )


def _plan_of(
    plan: SplitPlan, file: SplitFile, split: list[str], number: int, accept_leakage: bool, images: int
) -> SplitPlan:
    where = f"fold {number} of {file.path}" if file.has_folds else str(file.path)
    divided = patients_divided(plan.items, plan.groups, split)
    if divided and not accept_leakage:
        raise DatasetError(
            f"{where} divides {counted(len(divided), 'patient')}: {listed(divided)}. Test scores would be "
            "too high. Split by patient; or, to compare with others who used this split, add "
            "--i-accept-leakage."
        )
    notes = [*plan.notes, *file.notes]
    if divided:
        notes.append(f"{where} divides {listed(divided)}: test scores may be too high.")
    if left := images - len(split):
        notes.append(f"{file.path} does not name {left} of {counted(images, 'image')}: left out.")
    unknown = sum(not item.identity.patient_known for item in plan.items)
    if unknown:
        notes.append(
            f"the patient of {unknown} of {len(split)} images is unknown: whether {file.path} divides one is "
            "not known."
        )
    if missing := [name for name in SPLITS if name not in split]:
        notes.append(f"{where} has no images for {' and '.join(missing)}.")
    shares = {name: split.count(name) / len(split) for name in SPLITS if name in split}
    return replace(plan, split=split, ratios=shares, notes=notes)
