"""The tables of a desk. Rows of versions, decisions and events are added, never changed.

Times are text in UTC (ISO 8601), which sorts as it is in every database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> str:
    """The present moment as the tables have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Base(DeclarativeBase):
    """All tables."""


class Fact(Base):
    """Something about the desk itself: the folder it belongs to, its kind, a seed."""

    __tablename__ = "facts"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String)


class Item(Base):
    """An image on the desk; see `flexunet.review.sources.entry.Entry`.

    `repeats` names the item that this one shows once more; `present` is false where the file has gone.
    """

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str] = mapped_column(String)
    image: Mapped[str] = mapped_column(String)
    mask: Mapped[str] = mapped_column(String, default="")
    truth: Mapped[str] = mapped_column(String, default="")
    repeats: Mapped[int | None] = mapped_column(ForeignKey("items.id"))
    present: Mapped[bool] = mapped_column(default=True)
    patient: Mapped[str] = mapped_column(String, default="")
    side: Mapped[str] = mapped_column(String(8), default="")
    view: Mapped[str] = mapped_column(String(16), default="")
    exam: Mapped[str] = mapped_column(String, default="")
    split: Mapped[str] = mapped_column(String(16), default="")
    confidence: Mapped[float | None]
    entropy: Mapped[float | None]
    disagreement: Mapped[float | None]
    audit: Mapped[float | None]
    need: Mapped[float] = mapped_column(default=0.0)
    shuffle: Mapped[int] = mapped_column(BigInteger, default=0)
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)
    image_sha256: Mapped[str] = mapped_column(String(64), default="")
    image_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    image_changed_ns: Mapped[int] = mapped_column(BigInteger, default=0)


class Reading(Base):
    """The mask of an image in one track: all readers together, one reader alone, or the consensus."""

    __tablename__ = "readings"
    __table_args__ = (UniqueConstraint("item_id", "track"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    track: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    filed: Mapped[int] = mapped_column(default=-1)
    status: Mapped[str] = mapped_column(String(16), default="begun")
    reader: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))


class Version(Base):
    """One change of a mask: the labels of a box after it. Version 0 is the mask of the beginning."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("reading_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"))
    number: Mapped[int]
    reader: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))
    tool: Mapped[str] = mapped_column(String(32))
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    labels: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))


class Snapshot(Base):
    """The whole mask after a version, so that it is not made from all changes since the beginning."""

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("reading_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"))
    number: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    labels: Mapped[bytes] = mapped_column(LargeBinary)


class Decision(Base):
    """What a reader said of an image, and of which mask.

    `foreground` are the pixels above background of that mask, `dice` is its agreement with the mask that the
    reading began with.
    """

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    track: Mapped[str] = mapped_column(String(80))
    reader: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))
    verdict: Mapped[str] = mapped_column(String(16))
    likert: Mapped[int | None]
    comment: Mapped[str] = mapped_column(String, default="")
    lesions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    seconds: Mapped[float]
    version: Mapped[int]
    foreground: Mapped[int] = mapped_column(BigInteger)
    dice: Mapped[float]
    image_sha256: Mapped[str] = mapped_column(String(64))
    mask_before: Mapped[str] = mapped_column(String(64))
    mask_after: Mapped[str] = mapped_column(String(64))


class Preference(Base):
    """What a reader has set on the page."""

    __tablename__ = "preferences"
    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSON)


class Account(Base):
    """A person who may sign in; the password is kept as argon2 makes it."""

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str] = mapped_column(String(256))
    made: Mapped[str] = mapped_column(String(32))
    disabled: Mapped[bool] = mapped_column(default=False)


class SignIn(Base):
    """A session of a browser; of its secret, the hash alone is kept."""

    __tablename__ = "sign_ins"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    reader: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    csrf: Mapped[str] = mapped_column(String(64))
    expires: Mapped[str] = mapped_column(String(32))


class Event(Base):
    """The audit log: who did what, and when."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    reader: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String, default="")
