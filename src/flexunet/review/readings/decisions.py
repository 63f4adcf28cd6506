"""Decisions: one row each, never changed; the last one of a track tells its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import select

from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored
from flexunet.errors import ShapeError
from flexunet.review.readings.comparing import dice_of
from flexunet.review.readings.errors import StaleError
from flexunet.review.readings.masks import Mask, Masks, Where
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Decision, Item, now

# What a reader may say of an image, and the status that it then has.
STATUS_OF_VERDICT = {
    "accept": "accepted",
    "correct": "corrected",
    "reject": "rejected",
    "no_lesion": "no_lesion",
    "unsure": "unsure",
}
UNREVIEWED, BEGUN = "unreviewed", "begun"
STATUSES = (UNREVIEWED, BEGUN, *STATUS_OF_VERDICT.values())


@dataclass(frozen=True)
class Verdict:
    """What a reader says.

    Attributes:
        verdict: One of `STATUS_OF_VERDICT`.
        seconds: Time spent on the image.
        likert: How good the draft is, 1 to 5; None where nothing is said.
        comment: Free text.
        lesions: Component, verdict and comment of single lesions.
    """

    verdict: str
    seconds: float
    likert: int | None = None
    comment: str = ""
    lesions: Sequence[dict[str, Any]] = field(default=())

    @property
    def status(self) -> str:
        """The status that the image then has.

        Raises:
            ShapeError: if there is no such verdict.
        """
        if self.verdict not in STATUS_OF_VERDICT:
            raise ShapeError(f"expected a verdict of {', '.join(STATUS_OF_VERDICT)}, found {self.verdict!r}.")
        return STATUS_OF_VERDICT[self.verdict]


class Decisions:
    """The decisions of a desk.

    Args:
        database: Where they are kept.
        masks: The masks they are about.
    """

    def __init__(self, database: Database, masks: Masks):
        self.database = database
        self.masks = masks

    def sign(self, where: Where, item: Item, base: int, verdict: Verdict, reader: str) -> tuple[int, Mask]:
        """Write down a decision.

        With `no_lesion` the mask becomes empty first, but for ignored pixels, as a version of its own.

        Args:
            where: The mask it is about.
            item: The image, as `Images.checked` gives it.
            base: The version that the reader saw.
            verdict: What the reader says.
            reader: Who.

        Returns:
            Number of the decision, and the mask it is about; both are on the disk.

        Raises:
            StaleError: if the mask is not at that version any more.
            ShapeError: if there is no such verdict.
        """
        status = verdict.status
        mask = self.masks.newest(where)
        if mask.version != base:
            raise self.masks.stale(where)
        if verdict.verdict == "no_lesion" and without_ignored(mask.labels)[0].any():
            empty = np.where(mask.labels == IGNORED, mask.labels, np.uint8(0))
            mask = self.masks.replace(where, base, empty, reader, "no lesion")
        begun = self.masks.at(where, 0)
        foreground = int(np.count_nonzero(without_ignored(mask.labels)[0]))
        dice = dice_of(begun.labels, mask.labels)
        with self.database.write() as session:
            reading = self.masks.begin(session, where, reader)
            if reading.version != mask.version:
                raise StaleError(reading.version, reading.reader, reading.at)
            decision = Decision(
                item_id=where.item,
                track=where.track,
                reader=reader,
                at=now(),
                verdict=verdict.verdict,
                likert=verdict.likert,
                comment=verdict.comment,
                lesions=[dict(lesion) for lesion in verdict.lesions],
                seconds=verdict.seconds,
                version=mask.version,
                foreground=foreground,
                dice=dice,
                image_sha256=item.image_sha256,
                mask_before=begun.sha256,
                mask_after=mask.sha256,
            )
            session.add(decision)
            reading.status = status
            session.flush()
            number = decision.id
        return number, mask

    def last(self, item: int, reader: str | None = None, track: str | None = None) -> Decision | None:
        """The last decision on an item: of a reader, or in a track, where these are named."""
        query = select(Decision).where(Decision.item_id == item)
        if reader is not None:
            query = query.where(Decision.reader == reader)
        if track is not None:
            query = query.where(Decision.track == track)
        with self.database.read() as session:
            return session.scalars(query.order_by(Decision.id.desc()).limit(1)).one_or_none()
