"""Split a folder of images and masks into train, valid and test, so that a test score can be believed.

Whatever shows the same thing stays together: all copies of one source, and with `by="patient"` all images
of one person. The splits are balanced by strata (lesion area, class, any column of the manifest).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flexunet.data.color_map import ColorMap
from flexunet.data.dataset_folder import SPLITS
from flexunet.data.files import explaining, replacing
from flexunet.data.manifest import FILE_NAME, Manifest
from flexunet.data.split_groups import deal_groups
from flexunet.data.split_items import (
    Item,
    collect_items,
    connected_labels,
    group_items,
    stratum_of_groups,
)
from flexunet.errors import ConfigError, DatasetError, PathError

RATIOS = (0.8, 0.15, 0.05)
NOTABLE_DEVIATION = 0.02
Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, what is done of it, and what there is to do."""


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
    """

    items: list[Item]
    groups: np.ndarray
    strata: list[str]
    split: list[str]
    ratios: dict[str, float]
    by: str = "source"
    copies: list[tuple[int, int]] = field(default_factory=list)

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
    color_map: ColorMap | None = None,
    look: bool = True,
    merge_copies: bool = False,
    progress: Progress | None = None,
) -> SplitPlan:
    """Decide which image goes to which split.

    Args:
        root: Folder of images and masks in any known layout (see `layouts`).
        ratios: Shares of train, valid and (if given) test; they sum to 1, or to 100.
        by: What stays together: `patient`, `source` or `file`.
        stratify: `lesion-area`, `class`, a column of the manifest, or `none`.
        seed: The same seed gives the same split.
        accept_leakage: Must be true for `by="file"`.
        color_map: Colours of the masks; black and white if left out.
        look: Whether the images themselves are compared, to find copies that no name tells.
        merge_copies: Whether such copies are kept together; otherwise they are only reported.
        progress: Called with stage, done, total.

    Raises:
        DatasetError: if `by="file"` without `accept_leakage`, or with fewer groups than splits.
        ConfigError: if the ratios are no ratios.
        PathError, PairingError, MaskError: if the folder cannot be used.
    """
    if by == "file" and not accept_leakage:
        raise DatasetError(
            "--by file separates copies of one image, so that the test score says little about new images. "
            "Use --by source or --by patient; if you mean it, add --i-accept-leakage."
        )
    shares = check_ratios(ratios)
    report = progress or (lambda stage, done, total: None)
    items = collect_items(root, lambda done, total: report("read", done, total))
    copies: list[tuple[int, int]] = []
    if look and len(items) > 1:
        from flexunet.data.audit.leaks import find_copies_of_files

        copies = find_copies_of_files([item.image for item in items], report)
    groups = group_items(items, by, copies if merge_copies else ())
    strata = stratum_of_groups(
        items, groups, stratify, color_map or ColorMap.binary(), lambda d, t: report("masks", d, t)
    )
    names = list(shares)
    sizes = np.bincount(groups)
    dealt = deal_groups(sizes, strata, list(shares.values()), seed, names)
    return SplitPlan(items, groups, strata, [names[s] for s in dealt[groups]], shares, by, copies)


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


def write_split(
    plan: SplitPlan, out: Path | str, *, link: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write `train|valid|test/{images,masks}/` and `manifest.csv`.

    The folder appears whole or not at all: it grows beside `out` under a hidden name, and an interrupted run
    goes on where it stopped if it is started again with the same plan.

    Args:
        plan: From `plan_split`.
        out: Folder to write; it must not exist, or be empty, or hold this very split.
        link: Make hard links instead of copies.
        progress: Called with stage, done, total.

    Returns:
        The manifest that was written.

    Raises:
        DatasetError: if `out` holds something else.
        PathError: if a file cannot be written or linked.
    """
    out = Path(out)
    manifest = manifest_of(plan)
    if is_written(out, [(manifest, "")]):
        return manifest
    with growing(out, digest_of_manifests([manifest])) as folder:
        fill_folder(plan, folder, manifest, how="link" if link else "copy", progress=progress)
    return manifest


def manifest_of(plan: SplitPlan) -> Manifest:
    """Manifest of the data set that a plan makes, one row an image."""
    manifest = Manifest()
    for item, split in zip(plan.items, plan.split, strict=True):
        known = {column: value for column, value in item.row.items() if value}
        manifest.append(
            {
                **known,
                "file": f"{split}/images/{item.name}{item.image.suffix}",
                "mask": f"{split}/masks/{item.name}{item.mask.suffix}",
                "split": split,
                "source": item.source,
                "patient": item.patient,
                "operation": item.operation,
                "sha256": item.sha256,
                **({"class": item.class_name} if item.class_name else {}),
            }
        )
    manifest.rows.sort(key=lambda row: (SPLITS.index(row["split"]), row["file"]))
    return manifest


def fill_folder(
    plan: SplitPlan,
    folder: Path,
    manifest: Manifest,
    *,
    how: str = "copy",
    progress: Progress | None = None,
    stage: str = "write",
) -> None:
    """Put what is missing of a plan's files into a folder (see `_place`), then write the manifest."""
    report = progress or (lambda stage, done, total: None)
    for done, (item, split) in enumerate(zip(plan.items, plan.split, strict=True), 1):
        for source, kind in ((item.image, "images"), (item.mask, "masks")):
            target = folder / split / kind / f"{item.name}{source.suffix}"
            if not target.exists():
                _place(source, target, how)
        report(stage, done, len(plan.items))
    manifest.write(folder)


def is_written(out: Path, parts: Sequence[tuple[Manifest, str]]) -> bool:
    """Whether `out` already holds these manifests, each in its subfolder.

    Raises:
        DatasetError: if `out` holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    same = out.is_dir() and all(
        (out / sub / FILE_NAME).is_file() and _rows(Manifest.read(out / sub)) == _rows(manifest)
        for manifest, sub in parts
    )
    if not same:
        raise DatasetError(
            f"{out} already exists and holds something other than this split. Choose a new folder, or remove "
            "the old one."
        )
    return True


@contextmanager
def growing(out: Path, key: str) -> Iterator[Path]:
    """Yield a hidden folder beside `out`, which gets that name when the body is done.

    Unlike `files.replacing`, what has been written stays when the work is interrupted: a later run with the
    same `key` goes on with it.
    """
    partial = out.parent / f".{out.name}.{key[:12]}.partial"
    with explaining(partial):
        partial.mkdir(parents=True, exist_ok=True)
    yield partial
    with explaining(out):
        if out.is_dir():
            out.rmdir()  # empty, or is_written would have refused it
        partial.replace(out)


def _place(source: Path, target: Path, how: str) -> None:
    """Put a file at `target`: `copy` it, `link` it, or `try` to link it and copy it where that fails."""
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if how != "copy":
            try:
                os.link(source.resolve(), target)
            except OSError as error:
                if how == "link":
                    raise PathError(
                        f"cannot link {target} to {source} ({error.strerror}): hard links work only within "
                        "one disk. Leave --link out to copy."
                    ) from error
            else:
                return
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _rows(manifest: Manifest | None) -> list[dict[str, str]]:
    # Columns that are empty everywhere come and go with writing and reading.
    return [{k: v for k, v in row.items() if v} for row in (manifest.rows if manifest else [])]


def digest_of_manifests(manifests: Sequence[Manifest]) -> str:
    """Digest that tells one plan from another."""
    text = json.dumps([_rows(manifest) for manifest in manifests], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def notes_of(plan: SplitPlan) -> list[str]:
    """What a user should know about a plan."""
    notes = []
    items = plan.items
    patients = {item.patient for item in items}
    sources = {item.source for item in items}
    if plan.by == "source" and len(patients) < len(sources):
        notes.append(
            f"the data set knows {len(patients)} patients for {len(sources)} sources. Images of one patient "
            "resemble each other: --by patient keeps them together, and is recommended."
        )
    repeated = sum(count - 1 for count in Counter(item.sha256 for item in items).values())
    if repeated:
        kept = "may be apart" if plan.by == "file" else "are kept together"
        notes.append(f"{repeated} image(s) repeat another one byte for byte; they {kept}.")
    crossing = copies_across(plan)
    if crossing:
        few = "; ".join(" = ".join(names) for names in crossing[:3])
        notes.append(
            f"{len(crossing)} picture(s) are in more than one split under different names: {few}"
            f"{'; ...' if len(crossing) > 3 else ''}. Add --merge-copies to keep them together."
        )
    for row in plan.table():
        if abs(row.deviation) > NOTABLE_DEVIATION:
            notes.append(
                f"{row.split} has {row.images} images, {row.reached:.1%} instead of {row.wanted:.1%}: groups "
                "are never separated, and these do not fit more closely."
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
