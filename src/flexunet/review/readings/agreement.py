"""How far readers agree: with each other, with themselves, and with masks that are known to be right.

Each reader's last decision on an image counts, with the mask that it was about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median
from typing import Any

import numpy as np
from sqlalchemy import select

from flexunet.review.readings.comparing import Likeness, compare_masks
from flexunet.review.readings.kappa import cohen_kappa, fleiss_kappa
from flexunet.review.readings.tracks import CONSENSUS
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Decision, Item

LabelsOf = Callable[[Item, Decision], np.ndarray]


@dataclass(frozen=True)
class Read:
    """A reader's last decision on an image.

    Attributes:
        item: The image.
        decision: What the reader said.
    """

    item: Item
    decision: Decision


class Agreement:
    """Compares readers.

    Args:
        database: Where decisions are.
        classes: Number of classes, background counted.
        labels_of: The mask that a decision is about, uint8 `(H, W)`.
        truth_of: The mask that is known to be right.
    """

    def __init__(
        self,
        database: Database,
        classes: int,
        labels_of: LabelsOf,
        truth_of: Callable[[Item], np.ndarray],
    ):
        self.database = database
        self.classes = classes
        self._labels_of = labels_of
        self._truth_of = truth_of
        self._known: dict[tuple[str, str], Likeness] = {}

    def report(self) -> dict[str, Any]:
        """Readers, pairs of readers, kappa of all, repeats, known images; None where nothing tells."""
        by_reader: dict[str, dict[int, Read]] = defaultdict(dict)
        with self.database.read() as session:
            rows = session.execute(
                select(Item, Decision)
                .join(Decision, Decision.item_id == Item.id)
                .where(Item.present, Decision.track != CONSENSUS)
                .order_by(Decision.id)
            ).all()
        for item, decision in rows:
            by_reader[decision.reader][item.id] = Read(item, decision)
        names = sorted(by_reader)
        return {
            "readers": [_told(name, list(by_reader[name].values())) for name in names],
            "pairs": [self._pair(by_reader, *pair) for pair in combinations(names, 2)],
            "kappa": _of_all([by_reader[name] for name in names]),
            "repeats": {name: self._repeats(by_reader[name]) for name in names},
            "known": {name: self._known_images(by_reader[name]) for name in names},
        }

    def _pair(self, by_reader: dict[str, dict[int, Read]], first: str, second: str) -> dict[str, Any]:
        one, other = by_reader[first], by_reader[second]
        both = sorted(number for number in one.keys() & other.keys() if one[number].item.repeats is None)
        there = [self._likeness(one[number], other[number]) for number in both]
        back = [self._likeness(other[number], one[number]) for number in both]
        return {
            "readers": [first, second],
            **_summary(there),
            "sensitivity": {second: _share_found(there), first: _share_found(back)},
            "kappa": _kappas([one[number] for number in both], [other[number] for number in both]),
        }

    def _repeats(self, reads: dict[int, Read]) -> dict[str, Any]:
        pairs = [
            (reads[read.item.repeats], read)
            for read in reads.values()
            if read.item.repeats is not None and read.item.repeats in reads
        ]
        return {
            **_summary([self._likeness(*pair) for pair in pairs]),
            "same_verdict": sum(a.decision.verdict == b.decision.verdict for a, b in pairs),
            "kappa": _kappas([a for a, _ in pairs], [b for _, b in pairs]),
        }

    def _known_images(self, reads: dict[int, Read]) -> dict[str, Any]:
        measured = []
        for read in reads.values():
            if read.item.truth:
                key = f"truth {read.item.id}", read.decision.mask_after
                if key not in self._known:
                    truth = self._truth_of(read.item)
                    drawn = self._labels_of(read.item, read.decision)
                    self._known[key] = compare_masks(truth, drawn, self.classes)
                measured.append(self._known[key])
        return {
            **_summary(measured),
            "lesions": sum(each.lesions for each in measured),
            "found": sum(each.found for each in measured),
            "further": sum(each.further for each in measured),
            "sensitivity": _share_found(measured),
        }

    def _likeness(self, first: Read, second: Read) -> Likeness:
        key = first.decision.mask_after, second.decision.mask_after
        if key not in self._known:
            one, other = (self._labels_of(read.item, read.decision) for read in (first, second))
            self._known[key] = compare_masks(one, other, self.classes)
        return self._known[key]


def _told(name: str, reads: Sequence[Read]) -> dict[str, Any]:
    likerts = [read.decision.likert for read in reads if read.decision.likert is not None]
    return {
        "reader": name,
        "images": len(reads),
        "verdicts": dict(Counter(read.decision.verdict for read in reads)),
        "median_seconds": median(read.decision.seconds for read in reads),
        "mean_likert": fmean(likerts) if likerts else None,
    }


def _summary(likenesses: Sequence[Likeness]) -> dict[str, Any]:
    dice = [each.dice for each in likenesses]
    return {
        "images": len(dice),
        "dice_mean": fmean(dice) if dice else None,
        "dice_median": median(dice) if dice else None,
    }


def _share_found(likenesses: Sequence[Likeness]) -> float | None:
    lesions = sum(each.lesions for each in likenesses)
    return sum(each.found for each in likenesses) / lesions if lesions else None


def _kappas(first: Sequence[Read], second: Sequence[Read]) -> dict[str, float | None]:
    return {
        what: cohen_kappa([say(read) for read in first], [say(read) for read in second])
        for what, say in _SAYINGS.items()
    }


def _of_all(reads: Sequence[dict[int, Read]]) -> dict[str, Any]:
    """Fleiss' kappa over the images that every reader has read."""
    if len(reads) < 2:
        return {"readers": len(reads), "images": 0, "verdict": None, "lesion": None}
    numbers = sorted(set.intersection(*(set(read) for read in reads)))
    told: dict[str, Any] = {"readers": len(reads), "images": len(numbers)}
    for what, say in _SAYINGS.items():
        said = [[say(read[number]) for read in reads] for number in numbers]
        names = sorted({name for row in said for name in row}, key=str)
        told[what] = fleiss_kappa(np.array([[row.count(name) for name in names] for row in said]))
    return told


_SAYINGS: dict[str, Callable[[Read], Any]] = {
    "verdict": lambda read: read.decision.verdict,
    "lesion": lambda read: read.decision.foreground > 0,
}
