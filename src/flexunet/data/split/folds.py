"""Cross-validation: every group is in the test split of exactly one fold.

    OUT/fold_1/{train,valid,test}/{images,masks}/ and manifest.csv, OUT/fold_2/..., OUT/folds.csv

Fold k tests on part k; what remains is dealt to train and valid in the proportion of the ratios. Files are
written once, into fold_1; in the other folds they are hard links to it where the disk allows. `folds.csv` has
the split of each image in each fold, from which `--splits` makes the same folds again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.matching import suffix_of
from flexunet.data.split.groups import deal_groups
from flexunet.data.split.plan import SplitPlan, check_ratios, notes_of
from flexunet.data.split.split_file import FOLD_COLUMN
from flexunet.data.split.write import digest_of_manifests, fill_folder, growing, is_written, manifest_of
from flexunet.data.tables import write_rows
from flexunet.errors import ConfigError
from flexunet.progress import Progress, silent

FOLDS_FILE = "folds.csv"


@dataclass
class FoldPlan:
    """One plan a fold; all over the same items and groups."""

    folds: list[SplitPlan]

    @property
    def notes(self) -> list[str]:
        """What a user should know; a note that several folds share is there once."""
        return list(dict.fromkeys(note for fold in self.folds for note in notes_of(fold)))


def plan_folds(plan: SplitPlan, count: int, ratios: Sequence[float], seed: int = 137) -> FoldPlan:
    """Deal the groups of a plan to folds.

    Args:
        plan: From `plan_split`; its items, groups and strata are used, its splits are not.
        count: Number of folds, at least 2.
        ratios: Their train and valid shares say how what is not tested on is divided.
        seed: The same seed gives the same folds.

    Raises:
        ConfigError: if there are fewer than 2 folds, or no training share.
        DatasetError: if there are too few groups.
    """
    if count < 2:
        raise ConfigError(f"--folds {count}: expected 2 or more.")
    shares = check_ratios(ratios)
    train, valid = shares.get("train", 0.0), shares.get("valid", 0.0)
    if not train:
        raise ConfigError("--ratios leave nothing to train on.")
    sizes = np.bincount(plan.groups)
    names = [f"fold {number + 1}" for number in range(count)]
    part = deal_groups(sizes, plan.strata, [1 / count] * count, seed, names)
    folds = []
    for number in range(count):
        split = np.full(len(sizes), "test", dtype=object)
        rest = np.flatnonzero(part != number)
        split[rest] = "train"
        if valid:
            strata = [plan.strata[group] for group in rest]
            share = valid / (train + valid)
            dealt = deal_groups(sizes[rest], strata, [1 - share, share], seed + number, ("train", "valid"))
            split[rest[dealt == 1]] = "valid"
        rest_share = 1 - 1 / count
        wanted = {
            "train": rest_share * train / (train + valid),
            "valid": rest_share * valid / (train + valid),
            "test": 1 / count,
        }
        wanted = {name: share for name, share in wanted.items() if share}
        folds.append(replace(plan, split=split[plan.groups].tolist(), ratios=wanted))
    return FoldPlan(folds)


def write_folds(
    plan: FoldPlan, out: Path | str, *, link: bool = False, progress: Progress = silent
) -> list[Manifest]:
    """Write `fold_1` ... `fold_K` and `folds.csv`; whole or not at all, and resumable, as `write_split`.

    Raises:
        DatasetError: if `out` holds something else.
        PathError: if a file cannot be written or linked.
    """
    out = Path(out)
    manifests = [manifest_of(fold) for fold in plan.folds]
    subs = [f"fold_{number}" for number in range(1, len(manifests) + 1)]
    if is_written(out, list(zip(manifests, subs, strict=True))):
        return manifests
    with growing(out, digest_of_manifests(manifests)) as folder:
        first = plan.folds[0]
        for number, (fold, manifest, sub) in enumerate(zip(plan.folds, manifests, subs, strict=True)):
            if number:
                fold = replace(fold, items=_items_in(first, folder / subs[0]))
            how = "try" if number else "link" if link else "copy"
            stage = f"write fold {number + 1} of {len(subs)}"
            fill_folder(fold, folder / sub, manifest, how=how, progress=progress, stage=stage)
        _write_folds(folder / FOLDS_FILE, plan)
    return manifests


def _items_in(plan: SplitPlan, folder: Path) -> list:
    """Items of a plan, as files of the fold that was written first."""
    items = []
    for item, split in zip(plan.items, plan.split, strict=True):
        image = folder / split / "images" / f"{item.name}{suffix_of(item.pair.image_path)}"
        mask = folder / split / "masks" / f"{item.name}{suffix_of(item.pair.mask_path)}"
        items.append(replace(item, pair=replace(item.pair, image_path=image, mask_path=mask)))
    return items


def _write_folds(path: Path, plan: FoldPlan) -> None:
    columns = [f"{FOLD_COLUMN}{number}" for number in range(1, len(plan.folds) + 1)]
    rows = (
        [item.name, item.identity.source, item.identity.known_patient, *splits]
        for item, *splits in zip(plan.folds[0].items, *(fold.split for fold in plan.folds), strict=True)
    )
    write_rows(path, ("name", "source", "patient", *columns), rows)
