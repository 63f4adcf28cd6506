"""The images of a desk that readers have decided on, each with its last decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from flexunet.data.dataset.status import CHECKED
from flexunet.review.readings.decisions import STATUS_OF_VERDICT
from flexunet.review.readings.tracks import CONSENSUS
from flexunet.review.store.tables import Decision, Item

if TYPE_CHECKING:
    from flexunet.review.desk import Desk


@dataclass(frozen=True)
class Reviewed:
    """An image, and what was decided last.

    Attributes:
        item: The image.
        decision: The decision: that of the consensus, where there is one.
        labels: The mask that it is about, uint8 `(H, W)`.
    """

    item: Item
    decision: Decision
    labels: np.ndarray

    @property
    def status(self) -> str:
        """As the manifest has it."""
        return STATUS_OF_VERDICT[self.decision.verdict]

    @property
    def image(self) -> Path:
        """The image file."""
        return Path(self.item.image)


def reviewed_images(desk: Desk) -> Iterator[Reviewed]:
    """Images whose mask readers found good, made good, or empty; repeats and known images are left out.

    A decision of a consensus counts more than one of a reader, a later one more than an earlier one.
    """
    for item, decision in last_decisions(desk):
        if STATUS_OF_VERDICT[decision.verdict] in CHECKED:
            yield Reviewed(desk.images.checked(item.id), decision, desk.decided_labels(item, decision))


def last_decisions(desk: Desk) -> list[tuple[Item, Decision]]:
    """The decision that counts of every image that has one, by key."""
    counting: dict[int, tuple[Item, Decision]] = {}
    with desk.database.read() as session:
        rows = session.execute(
            select(Item, Decision)
            .join(Decision, Decision.item_id == Item.id)
            .where(Item.present, Item.repeats.is_(None), Item.truth == "")
            .order_by(Item.key, Decision.id)
        ).all()
    for item, decision in rows:
        earlier = counting.get(item.id)
        if earlier and earlier[1].track == CONSENSUS != decision.track:
            continue
        counting[item.id] = item, decision
    return list(counting.values())
