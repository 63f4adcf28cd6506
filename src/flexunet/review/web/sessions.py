"""Who asks: a browser that showed the token of the desk, or signed in, and has a cookie since.

The database keeps the hash of a cookie, so that a desk that was killed and started again knows its readers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete

from flexunet.errors import ConfigError
from flexunet.review.readings.errors import ForbiddenError
from flexunet.review.store.database import Database
from flexunet.review.store.tables import SignIn, now

_NAME = re.compile(r"[^\W_][\w .@'-]{0,63}")
ROLES = ("reader", "reviewer", "admin")
_LASTS = timedelta(days=7)


@dataclass(frozen=True)
class Session:
    """A browser that may ask.

    Attributes:
        reader: Who.
        role: One of `ROLES`.
        csrf: What every request that changes something has to bring.
        expires: When it ends.
    """

    reader: str
    role: str
    csrf: str
    expires: str

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


def check_name(name: str) -> str:
    """The name of a reader.

    Raises:
        ConfigError: if it is not 1 to 64 letters, digits, blanks and . @ ' - _, a letter or digit first.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"expected a name of 1 to 64 letters, digits, blanks and . @ ' - _ that begins with a letter or "
            f"digit, found {name!r}."
        )
    return name


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
        known = self._known.get(digest)
        if known is None:
            with self.database.read() as session:
                row = session.get(SignIn, digest)
            if row is None:
                return None
            known = self._known[digest] = Session(row.reader, row.role, row.csrf, row.expires)
        return known if known.expires > now() else None

    def end(self, cookie: str) -> None:
        """End a session."""
        self._known.pop(_digest(cookie), None)
        with self.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.digest == _digest(cookie)))

    def end_all(self, reader: str) -> None:
        """End all sessions of a reader."""
        self._known = {digest: each for digest, each in self._known.items() if each.reader != reader}
        with self.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.reader == reader))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def same(given: str, right: str) -> bool:
    """Whether two secrets are alike, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
