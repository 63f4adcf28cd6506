"""Split a folder of images and masks into train, valid and test, so that a test score can be believed.

Whatever shows the same thing stays together: all copies of one source, and with `by="patient"` all images
of one person. The splits are balanced by strata (lesion area, class, any column of the manifest).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.identity import doubtful_patients
from flexunet.data.dataset.status import refuse_unchecked
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.split.groups import deal_groups
from flexunet.data.split.official import OFFICIAL, official_split
from flexunet.data.split.split_images import (
    UNITS,
    SplitImage,
    collect_items,
    connected_labels,
    group_items,
    stratum_of_groups,
)
from flexunet.errors import ConfigError, DatasetError, counted
from flexunet.progress import Progress, silent

RATIOS = (0.8, 0.15, 0.05)
NOTABLE_DEVIATION = 0.02


@dataclass(frozen=True)
class SplitRow:
    """One split of a plan: its images and groups, share wanted and reached, images of each stratum."""

    split: str
    images: int
    groups: int
    wanted: float
    reached: float
    deviation: float
    strata: dict[str, int]


@dataclass
class SplitPlan:
    """Which image goes where, before anything is written.

    Attributes:
        items: All images.
        groups: Number of the group of each image, `(N,)`: what is never separated.
        strata: Stratum of each group.
        split: Split of each image, in the order of `items`.
        ratios: Share wanted of each split.
        by: What stays together.
        copies: Positions of images that show the same picture, found by looking at them.
        notes: What was guessed.
    """

    items: list[SplitImage]
    groups: np.ndarray
    strata: list[str]
    split: list[str]
    ratios: dict[str, float]
    by: str = "source"
    copies: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        shares = ", ".join(f"{row.split} {row.images}" for row in self.table())
        return f"<SplitPlan of {counted(len(self.items), 'image')} by {self.by}: {shares}>"

    def table(self) -> list[SplitRow]:
        """What each split gets."""
        split = np.array(self.split)
        stratum = np.array(self.strata, dtype=object)[self.groups]
        rows = []
        for name, wanted in self.ratios.items():
            chosen = split == name
            strata = dict(sorted(Counter(stratum[chosen].tolist()).items()))
            groups = len(set(self.groups[chosen].tolist()))
            reached = float(chosen.mean())
            rows.append(SplitRow(name, int(chosen.sum()), groups, wanted, reached, reached - wanted, strata))
        return rows


def plan_split(
    root: Path | str,
    *,
    ratios: Sequence[float] = RATIOS,
    by: str = "source",
    stratify: str = "lesion-area",
    seed: int = 137,
    accept_leakage: bool = False,
    patients: re.Pattern[str] | None = None,
    accept_unknown_patients: bool = False,
    masks: MaskReader | None = None,
    look: bool = True,
    merge_copies: bool = False,
    drafts: bool = False,
    progress: Progress = silent,
) -> SplitPlan:
    """Decide which image goes to which split.

    Args:
        root: Folder of images and masks in any known layout (see `layouts`).
        ratios: Shares of train, valid and (if given) test; they sum to 1, or to 100.
        by: What stays together: `patient`, `source` or `file`; or `official`: the publisher's split, by the
            manifest's column `official_split`, in which patients stay together.
        stratify: `lesion-area`, `class`, a column of the manifest, or `none`.
        seed: The same seed gives the same split.
        accept_leakage: Must be true for `by="file"`, and for an official split that divides a patient.
        patients: Finds the patient in the name of an image's source (`identity.patient_pattern`).
        accept_unknown_patients: Whether `by="patient"` takes each source of an unknown patient for a patient
            of its own; otherwise unknown patients are refused.
        masks: How masks are read; if left out, colours are guessed (black and white unless they clearly are
            not).
        look: Whether the images themselves are compared, to find copies that no name tells.
        merge_copies: Whether such copies are kept together; otherwise they are only reported.
        drafts: Whether masks that no person has checked are dealt too; otherwise they are refused.
        progress: Told how far each stage is.

    Raises:
        DatasetError: if `by="file"` without `accept_leakage`, if `by="patient"` and patients are unknown, if
            there are unasked drafts, if there is no official split or it divides a patient, or with fewer
            groups than splits.
        ConfigError: if the ratios are no ratios.
        PathError, PairingError, MaskError: if the folder cannot be used.

    Examples:
        >>> plan = flexunet.plan_split("dataset", by="patient", ratios=(0.6, 0.2, 0.2))
        >>> {row.split: row.images for row in plan.table()}
        {'train': 12, 'valid': 4, 'test': 4}
    """
    if by == "file" and not accept_leakage:
        raise DatasetError(
            "--by file separates copies of one image, so that the test score says little about new images. "
            "Use --by source or --by patient; if you mean it, add --i-accept-leakage."
        )
    shares = check_ratios(ratios)
    items = collect_items(root, progress, patients=patients)
    refuse_unchecked((item.identity.row for item in items), drafts, str(root), "add --drafts")
    if by == "patient" and not accept_unknown_patients:
        _refuse_unknown_patients(items)
    copies: list[tuple[int, int]] = []
    if look and len(items) > 1:
        from flexunet.data.copies.find import find_copies_of_files

        copies = find_copies_of_files([item.pair.image_path for item in items], progress)
    groups = group_items(items, "patient" if by == OFFICIAL else by, copies if merge_copies else ())
    notes = []
    if masks is None:
        masks, guessed = guess_reader([item.pair.mask_path for item in items])
        notes = [guessed] if guessed else []
    strata = stratum_of_groups(items, groups, stratify, masks, progress)
    if by == OFFICIAL:
        split, told = official_split(items, groups, strata, shares, seed, accept_leakage)
        kept = {name: split.count(name) / len(split) for name in SPLITS if name in split}
        return SplitPlan(items, groups, strata, split, kept, by, copies, [*notes, *told])
    names = list(shares)
    sizes = np.bincount(groups)
    dealt = deal_groups(sizes, strata, list(shares.values()), seed, names)
    return SplitPlan(items, groups, strata, [names[s] for s in dealt[groups]], shares, by, copies, notes)


def _refuse_unknown_patients(items: Sequence[SplitImage]) -> None:
    unknown = [item for item in items if not item.identity.patient_known]
    if unknown:
        raise DatasetError(
            f"--by patient: the patient of {len(unknown)} of {len(items)} images is unknown, for example of "
            f"{unknown[0].pair.image_path.name}; neither manifest nor file name gives it. Say how names tell "
            "the patient with --patient-pattern REGEX, name the patients in manifest.csv (flexunet derive "
            "--table CSV), or split --by source. With --i-know-patients-are-unknown each source counts as a "
            "patient of its own, and one person may be in two splits."
        )


def parse_ratios(text: str) -> list[float]:
    """Numbers of a text such as `0.8,0.15,0.05`.

    Raises:
        ConfigError: if they are no numbers.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--ratios {text!r}: expected numbers as in 0.8,0.15,0.05.") from error


def check_ratios(ratios: Sequence[float]) -> dict[str, float]:
    """Share of each split by name; splits with share 0 are left out.

    Raises:
        ConfigError: if there are not two or three ratios of 0 or more that sum to 1 or 100.
    """
    values = [float(ratio) for ratio in ratios]
    total = sum(values)
    whole = next((whole for whole in (1.0, 100.0) if abs(total - whole) < 1e-6 * whole), None)
    if len(values) not in (2, 3) or whole is None or min(values) < 0:
        raise ConfigError(
            f"--ratios {','.join(f'{v:g}' for v in values)}: expected the shares of train, valid and test, "
            "two or three numbers from 0 to 1 that sum to 1, as in 0.8,0.15,0.05."
        )
    return {name: value / whole for name, value in zip(SPLITS, values, strict=False) if value > 0}


def notes_of(plan: SplitPlan) -> list[str]:
    """What a user should know about a plan."""
    notes = list(plan.notes)
    items = plan.items
    patients = {item.identity.patient for item in items}
    sources = {item.identity.source for item in items}
    if plan.by == "source" and len(patients) < len(sources):
        notes.append(
            f"the data set has {counted(len(patients), 'patient')} for {counted(len(sources), 'source')}. "
            "Images of one patient resemble each other: --by patient keeps them together, and is recommended."
        )
    unknown = sum(not item.identity.patient_known for item in items)
    if plan.by == "patient" and unknown:
        notes.append(
            f"the patient of {unknown} of {len(items)} images is unknown; each of their sources was dealt as "
            "a patient of its own, so that one person may be in two splits."
        )
    notes += doubtful_patients([item.identity.row for item in items])
    repeated = sum(count - 1 for count in Counter(item.sha256 for item in items).values())
    if repeated:
        kept = "are kept together" if plan.by in UNITS[:2] else "may be apart"
        copies = counted(repeated, "image repeats", "images repeat")
        notes.append(f"{copies} another one byte for byte; they {kept}.")
    crossing = copies_across(plan)
    if crossing:
        few = "; ".join(" = ".join(names) for names in crossing[:3])
        notes.append(
            f"{counted(len(crossing), 'picture is', 'pictures are')} in more than one split under different "
            f"names: {few}"
            f"{'; ...' if len(crossing) > 3 else ''}. "
            + (
                "Add --merge-copies to keep them together."
                if plan.by in UNITS
                else "Test scores may be too high."
            )
        )
    for row in plan.table():
        if abs(row.deviation) > NOTABLE_DEVIATION:
            notes.append(
                f"{row.split} has {counted(row.images, 'image')}, {row.reached:.1%} instead of "
                f"{row.wanted:.1%}: "
                "groups are never separated, and these do not fit more closely."
            )
    return notes


def copies_across(plan: SplitPlan) -> list[list[str]]:
    """Pictures found in more than one split, each as the list of its files' names with the split."""
    labels = connected_labels(len(plan.items), plan.copies)
    found = []
    for label in np.flatnonzero(np.bincount(labels) > 1):
        members = np.flatnonzero(labels == label)
        if len({plan.split[member] for member in members}) > 1:
            found.append([f"{plan.split[m]}/{plan.items[m].name}" for m in members])
    return found
