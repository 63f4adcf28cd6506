"""Who asks: a browser that showed the token of the desk, or signed in, and has a cookie since.

The database keeps the hash of a cookie, so that a desk that was killed and started again knows its readers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete

from flexunet.review.readings.problems import ForbiddenError
from flexunet.review.store.database import Database
from flexunet.review.store.tables import SignIn, now

ROLES = ("reader", "reviewer", "admin")
_LASTS = timedelta(days=7)


@dataclass(frozen=True)
class Session:
    """A browser that may ask.

    Attributes:
        reader: Who.
        role: One of `ROLES`.
        csrf: What every request that changes something has to bring.
    """

    reader: str
    role: str
    csrf: str

    def may(self, role: str) -> bool:
        """Whether the reader has a role, or one above it."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: str, why: str) -> None:
        """Refuse who lacks a role.

        Raises:
            ForbiddenError: if the reader has neither the role nor one above it.
        """
        if not self.may(role):
            raise ForbiddenError(f"{why}: it takes the role {role}, yours is {self.role}.")


class Sessions:
    """The sessions of a desk.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database):
        self.database = database
        self._known: dict[str, Session] = {}

    def begin(self, reader: str, role: str) -> str:
        """Begin a session; the cookie that names it."""
        cookie = secrets.token_urlsafe(32)
        expires = (datetime.now(UTC) + _LASTS).isoformat(timespec="milliseconds")
        csrf = secrets.token_urlsafe(32)
        with self.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.expires < now()))
            session.add(SignIn(digest=_digest(cookie), reader=reader, role=role, csrf=csrf, expires=expires))
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session that a cookie names; None where there is none, or none any more."""
        digest = _digest(cookie)
        if digest in self._known:
            return self._known[digest]
        with self.database.read() as session:
            row = session.get(SignIn, digest)
        if row is None or row.expires < now():
            return None
        found = self._known[digest] = Session(row.reader, row.role, row.csrf)
        return found

    def end(self, cookie: str) -> None:
        """End a session."""
        self._known.pop(_digest(cookie), None)
        with self.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.digest == _digest(cookie)))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def same(given: str, right: str) -> bool:
    """Whether two secrets are alike, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
