"""From copies to findings: one picture in two splits, one patient in two splits, copies in the test split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flexunet.data.audit.examine import Examined
from flexunet.data.audit.findings import Finding
from flexunet.data.copies.find import CopyPair
from flexunet.data.dataset.identity import doubtful_patients
from flexunet.data.dataset.listing import ListedImage
from flexunet.data.dataset.matching import listed
from flexunet.data.dataset.names import operation_of
from flexunet.data.split.split_images import connected_labels
from flexunet.errors import counted


@dataclass(frozen=True)
class CopyGroups:
    """Which images show the same picture.

    Attributes:
        labels: Group of each image, `(N,)`.
        links: What joins two images: positions, and how it is known (`content`, `picture`, `name`).
    """

    labels: np.ndarray
    links: tuple[tuple[int, int, str], ...]

    def members(self) -> list[np.ndarray]:
        """Positions of the images of each group of two or more."""
        sizes = np.bincount(self.labels)
        order = np.argsort(self.labels, kind="stable")
        groups = np.split(order, np.cumsum(sizes)[:-1])
        return [group for group in groups if len(group) > 1]


def group_copies(
    examined: Sequence[Examined], pairs: Sequence[CopyPair], use_names: bool = True
) -> CopyGroups:
    """Join what content, picture, manifest and file name say about which images are copies.

    A name alone says so only where it carries a prefix of the published tools: `7.png` in train and `7.png`
    in test may be two pictures, `hflipped_7.png` is made of a `7.png`.
    """
    links: list[tuple[int, int, str]] = []
    links += [(a, b, "content") for a, b in _equal([e.digest for e in examined])]
    links += [(pair.first, pair.second, "picture") for pair in pairs]
    if use_names:
        links += [(a, b, "name") for a, b in _equal(_sources([e.entry for e in examined]))]
    labels = connected_labels(len(examined), [(a, b) for a, b, _ in links])
    return CopyGroups(labels, tuple(links))


def leak_findings(examined: Sequence[Examined], groups: CopyGroups) -> list[Finding]:
    """Findings about pictures and patients that are in more than one split, and copies inside one."""
    entries = [e.entry for e in examined]
    how: dict[int, set[str]] = defaultdict(set)
    for first, _, kind in groups.links:
        how[int(groups.labels[first])].add(kind)
    findings: list[Finding] = []
    inside: dict[str, list[np.ndarray]] = defaultdict(list)
    for members in groups.members():
        known = how[int(groups.labels[members[0]])]
        splits = {entries[m].split for m in members}
        if len(splits) > 1:
            findings.append(_leak([entries[m] for m in members], known))
        for split in splits:
            part = np.array([m for m in members if entries[m].split == split])
            if len(part) > 1:
                inside[split].append(part)
    for split, parts in inside.items():
        findings += _copies_inside(entries, split, parts)
    return findings + _patients(entries)


def leak_pairs(examined: Sequence[Examined], groups: CopyGroups) -> int:
    """Pairs of images of one picture that are in different splits."""
    count = 0
    for members in groups.members():
        sizes = np.unique([examined[m].entry.split for m in members], return_counts=True)[1]
        count += int((sizes.sum() ** 2 - (sizes**2).sum()) // 2)
    return count


def _equal(keys: Sequence[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    return [
        (first.setdefault(key, i), i) for i, key in enumerate(keys) if key and first.setdefault(key, i) != i
    ]


def _sources(entries: Sequence[ListedImage]) -> list[str]:
    """Source of each image where something other than an equal plain name tells it, else ""."""
    telling = {entry.identity.source for entry in entries if operation_of(entry.stem)}
    keys = []
    for entry in entries:
        identity = entry.identity
        keys.append(identity.source if identity.row.get("source") or identity.source in telling else "")
    return keys


_HOW = {"content": "equal files", "picture": "the pictures match", "name": "the names or the manifest say so"}


def _leak(members: Sequence[ListedImage], known: set[str]) -> Finding:
    by_split: dict[str, list[str]] = defaultdict(list)
    for entry in members:
        by_split[entry.split].append(entry.image.name)
    where = "; ".join(f"{split}: {listed(names, 3)}" for split, names in by_split.items())
    evidence = [_HOW[kind] for kind in _HOW if kind in known]
    return Finding(
        "leak",
        "error",
        tuple(entry.name for entry in members),
        f"one picture is in {' and '.join(by_split)} ({', '.join(evidence)}). {where}.",
        "Split again with `flexunet split --by source --merge-copies`, and augment after splitting.",
        {"known_by": sorted(known), "images": {split: len(names) for split, names in by_split.items()}},
    )


def _copies_inside(entries: Sequence[ListedImage], split: str, parts: Sequence[np.ndarray]) -> list[Finding]:
    if split == "train":  # where augmentation belongs
        return []
    extra = sum(len(part) - 1 for part in parts)
    files = tuple(entries[m].name for part in parts for m in part)
    if split:
        remedy = "Measure on originals alone: take the copies out, so that each picture counts once."
        severity = "warning"
        where = f"{split} holds"
    else:
        remedy = "Keep copies together: `flexunet split --by source --merge-copies`."
        severity = "note"
        where = "there are"
    return [
        Finding(
            "copies",
            severity,
            files,
            f"{where} {extra} further copies of {counted(len(parts), 'picture')}: "
            f"{listed([f.split('/')[-1] for f in files])}.",
            remedy,
            {"pictures": len(parts), "copies": extra},
        )
    ]


def _patients(entries: Sequence[ListedImage]) -> list[Finding]:
    by_patient: dict[str, list[ListedImage]] = defaultdict(list)
    for entry in entries:
        if entry.identity.patient_known:
            by_patient[entry.identity.patient].append(entry)
    findings = [
        Finding(
            "patients-doubtful",
            "warning",
            (),
            doubt,
            "Correct the column patient of manifest.csv, then split with `flexunet split --by patient`.",
        )
        for doubt in doubtful_patients([entry.identity.row for entry in entries])
    ]
    unknown = tuple(entry.name for entry in entries if not entry.identity.patient_known)
    if unknown:
        findings.append(
            Finding(
                "patients-unknown",
                "note",
                unknown,
                f"the patient of {len(unknown)} of {len(entries)} images is unknown: neither manifest nor "
                "file name tells. Whether one person is in two splits was not checked for them.",
                "Name the patients in the column patient of manifest.csv (flexunet derive --table or "
                "--patient-pattern, flexunet split --patient-pattern).",
            )
        )
    for patient, members in sorted(by_patient.items()):
        splits = list(dict.fromkeys(entry.split for entry in members))
        if len(splits) > 1:
            findings.append(
                Finding(
                    "patient-in-two-splits",
                    "error",
                    tuple(entry.name for entry in members),
                    f"patient {patient} is in {' and '.join(splits)} with {counted(len(members), 'image')}.",
                    "Split again with `flexunet split --by patient`.",
                    {"patient": patient},
                )
            )
    return findings
