"""The queue: in which order images are looked at, and which come next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from flexunet.errors import ShapeError
from flexunet.review.readings.decisions import BEGUN, STATUSES, UNREVIEWED
from flexunet.review.readings.tracks import own_track
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Item, Reading

_OPEN = (UNREVIEWED, BEGUN)
_ALWAYS = (Item.need.desc(), Item.key)
ORDERS: dict[str, tuple[ColumnElement[Any] | Any, ...]] = {
    "need": _ALWAYS,
    "entropy": (func.coalesce(Item.entropy, -1.0).desc(), *_ALWAYS),
    "confidence": (func.coalesce(Item.confidence, 2.0), *_ALWAYS),
    "audit": (func.coalesce(Item.audit, -1.0).desc(), *_ALWAYS),
    "disagreement": (func.coalesce(Item.disagreement, -1.0).desc(), *_ALWAYS),
    "unreviewed": _ALWAYS,
    "random": (Item.shuffle, Item.key),
    "name": (Item.name,),
}
"""What may be asked for; `unreviewed` puts images first that nobody has decided on."""


@dataclass(frozen=True)
class Wish:
    """Which part of the queue.

    Attributes:
        track: Whose readings count; see `flexunet.review.readings.masks`.
        order: One of `ORDERS`.
        status: A status, `open` for images without a decision, or `all`.
        search: Part of the name or of the patient.
        readings: Least number of readers of their own who have decided on an image.
    """

    track: str = ""
    order: str = "need"
    status: str = "all"
    search: str = ""
    readings: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ShapeError(f"expected an order of {', '.join(ORDERS)}, found {self.order!r}.")
        if self.status not in ("all", "open", *STATUSES):
            raise ShapeError(f"expected a status of all, open, {', '.join(STATUSES)}, found {self.status!r}.")


class Queue:
    """The queue of a desk.

    Args:
        database: Where it is kept.
    """

    def __init__(self, database: Database):
        self.database = database

    def counts(self, wish: Wish) -> dict[str, int]:
        """How many images fit a wish, and how many of them are decided on."""
        chosen = _chosen(wish).subquery()
        decided = chosen.c.reading_status.not_in(_OPEN)
        with self.database.read() as session:
            total = session.scalar(select(func.count()).select_from(chosen))
            reviewed = session.scalar(select(func.count()).select_from(chosen).where(decided))
        return {"total": total or 0, "reviewed": reviewed or 0}

    def status(self, item: int, track: str) -> str:
        """The status of an image in a track."""
        with self.database.read() as session:
            known = session.scalars(
                select(Reading.status).where(Reading.item_id == item, Reading.track == track)
            ).one_or_none()
        return known or UNREVIEWED

    def page(self, wish: Wish, offset: int = 0, limit: int = 100) -> tuple[int, list[tuple[Item, str]]]:
        """A part of the queue: how many images fit the wish, and those of the page with their status."""
        with self.database.read() as session:
            total = session.scalar(select(func.count()).select_from(_chosen(wish).subquery()))
            rows = session.execute(_ordered(wish).offset(offset).limit(limit)).all()
        return total or 0, [(row[0], row[1]) for row in rows]

    def next(self, wish: Wish, after: int | None) -> int | None:
        """The next image without a decision after one in the order, from the beginning at its end.

        Returns:
            Its number; None where every other image is decided on.
        """
        with self.database.read() as session:
            columns = _ordered(wish).with_only_columns(Item.id, _status(), maintain_column_froms=True)
            rows = session.execute(columns).all()
        numbers = [row[0] for row in rows]
        start = numbers.index(after) + 1 if after in numbers else 0
        for number, status in (*rows[start:], *rows[:start]):
            if status in _OPEN and number != after:
                return number
        return None


def _status() -> ColumnElement[str]:
    return func.coalesce(Reading.status, UNREVIEWED)


def _chosen(wish: Wish) -> Select[Any]:
    query = (
        select(Item, _status().label("reading_status"))
        .outerjoin(Reading, and_(Reading.item_id == Item.id, Reading.track == wish.track))
        .where(Item.present)
    )
    if wish.status == "open":
        query = query.where(_status().in_(_OPEN))
    elif wish.status != "all":
        query = query.where(_status() == wish.status)
    if wish.readings:
        others = aliased(Reading)
        decided = (
            select(func.count())
            .select_from(others)
            .where(others.item_id == Item.id, others.track.startswith(own_track("")), others.status != BEGUN)
        )
        query = query.where(decided.scalar_subquery() >= wish.readings)
    if wish.search:
        query = query.where(
            or_(
                Item.name.icontains(wish.search, autoescape=True),
                Item.patient.icontains(wish.search, autoescape=True),
            )
        )
    return query


def _ordered(wish: Wish) -> Select[Any]:
    """By the order wished; images without a decision first, unless it is by name or at random."""
    first = () if wish.order in ("name", "random") else (_status().in_(_OPEN).desc(),)
    return _chosen(wish).order_by(*first, *ORDERS[wish.order])
