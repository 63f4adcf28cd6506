"""Routes of the session, the queue and the preferences."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query

from flexunet.errors import ShapeError
from flexunet.review.store.tables import Item, Preference
from flexunet.review.web.dependencies import Asking, OnDesk
from flexunet.review.web.requests import Preferences

router = APIRouter()
_MOST_PREFERENCES = 64 << 10  # bytes


@router.get("/api/session", summary="Who asks, and what is on the desk")
def session(desk: OnDesk, asking: Asking) -> dict[str, Any]:
    """Reader, role, the token that changes need, the classes, the counts."""
    return {
        "reader": asking.reader,
        "role": asking.role,
        "csrf": asking.csrf,
        "blind": desk.settings.blind,
        "consensus": desk.settings.consensus,
        "project": {"name": desk.settings.given.path.absolute().name, "kind": desk.kind},
        "classes": desk.classes,
        "counts": desk.queue.counts(desk.wish(asking.reader)),
        "has_model": desk.model is not None,
        "notes": desk.notes,
    }


@router.get("/api/queue", summary="Images in an order")
def queue(
    desk: OnDesk,
    asking: Asking,
    order: str = "need",
    status: str = "all",
    search: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A part of the queue."""
    total, rows = desk.queue.page(desk.wish(asking.reader, order, status, search), offset, limit)
    reviewed = desk.queue.counts(desk.wish(asking.reader))["reviewed"]
    return {"total": total, "reviewed": reviewed, "items": [listed(item, state) for item, state in rows]}


@router.get("/api/next", summary="The next image without a decision")
def next_item(
    desk: OnDesk,
    asking: Asking,
    order: str = "need",
    after: int | None = None,
    status: str = "open",
    search: Annotated[str, Query(max_length=200)] = "",
) -> dict[str, int | None]:
    """Its number, or null."""
    return {"id": desk.queue.next(desk.wish(asking.reader, order, status, search), after)}


@router.get("/api/preferences", summary="What the reader has set")
def preferences(desk: OnDesk, asking: Asking) -> dict[str, Any]:
    """As they were put."""
    with desk.database.read() as session:
        row = session.get(Preference, asking.reader)
    return row.values if row else {}


@router.put("/api/preferences", summary="Set what the reader prefers")
def put_preferences(desk: OnDesk, asking: Asking, values: Preferences) -> dict[str, Any]:
    """Keep them."""
    if len(json.dumps(values)) > _MOST_PREFERENCES:
        raise ShapeError(f"expected preferences of at most {_MOST_PREFERENCES} bytes.")
    with desk.database.write() as session:
        session.merge(Preference(reader=asking.reader, values=values))
    return values


@router.get("/api/agreement", summary="How far readers agree")
def agreement(desk: OnDesk, asking: Asking) -> dict[str, Any]:
    """With each other, with themselves, with what is known."""
    if desk.settings.blind:
        asking.require("reviewer", "blind readers do not see how far they agree")
    return desk.agreement.report()


def listed(item: Item, status: str) -> dict[str, Any]:
    """An image as the queue tells of it."""
    return {
        "id": item.id,
        "name": item.name,
        "patient": item.patient,
        "side": item.side,
        "view": item.view,
        "status": status,
        "score": item.need,
        "reasons": item.reasons,
    }
