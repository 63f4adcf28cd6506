"""Accounts of a desk that several people use: names, roles, passwords as argon2 keeps them.

Source: Biryukov, A., Dinu, D. and Khovratovich, D. (2016), Argon2: the memory-hard function for password
hashing (RFC 9106), as argon2-cffi has it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select

from flexunet.errors import ConfigError
from flexunet.review.readings.errors import BusyError, ForbiddenError, MissingError
from flexunet.review.store.database import Database
from flexunet.review.store.tables import Account, now
from flexunet.review.web.sessions import ROLES, check_name

_LEAST_PASSWORD, _MOST_PASSWORD = 10, 1000
_ATTEMPTS, _WINDOW = 5, 300.0  # failures of a name within this many seconds, after which it has to wait


class Accounts:
    """The accounts of a desk.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database):
        self.database = database
        self._hasher = PasswordHasher()
        # What is verified where there is no such name: it takes as long as a wrong password.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._failures: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def count(self) -> int:
        """How many accounts there are."""
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(Account)) or 0

    def list(self) -> list[Account]:
        """The accounts, by name."""
        with self.database.read() as session:
            return list(session.scalars(select(Account).order_by(Account.name)))

    def put(self, name: str, role: str, password: str) -> None:
        """Make an account, or give it another role and password.

        Raises:
            ConfigError: if name, role or password cannot be used.
        """
        check_name(name)
        if role not in ROLES:
            raise ConfigError(f"expected a role of {', '.join(ROLES)}, found {role!r}.")
        if not _LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD:
            raise ConfigError(f"expected a password of at least {_LEAST_PASSWORD} characters.")
        hashed = self._hasher.hash(password)
        with self.database.write() as session:
            account = session.get(Account, name)
            if account is None:
                session.add(Account(name=name, role=role, password=hashed, made=now(), disabled=False))
            else:
                account.role, account.password, account.disabled = role, hashed, False

    def disable(self, name: str) -> None:
        """Let nobody sign in by a name any more; what was decided under it stays.

        Raises:
            MissingError: if there is no such account.
        """
        with self.database.write() as session:
            account = session.get(Account, name)
            if account is None:
                raise MissingError(f"there is no account {name}.")
            account.disabled = True

    def check(self, name: str, password: str) -> str:
        """The role of who knows the password.

        Raises:
            ForbiddenError: if name or password are wrong; it is not said which.
            BusyError: after five failures within five minutes.
        """
        self._refuse_guessing(name)
        with self.database.read() as session:
            account = session.get(Account, name)
        known = account is not None and not account.disabled
        try:
            self._hasher.verify(account.password if account and known else self._nobody, password)
        except (VerificationError, InvalidHashError):
            known = False
        if not known or account is None:
            with self._lock:
                self._failures[name].append(time.monotonic())
            raise ForbiddenError("name or password are wrong.")
        with self._lock:
            self._failures.pop(name, None)
        return account.role

    def _refuse_guessing(self, name: str) -> None:
        with self._lock:
            since = time.monotonic() - _WINDOW
            recent = [moment for moment in self._failures.get(name, ()) if moment > since]
            if recent:
                self._failures[name] = recent
            else:
                self._failures.pop(name, None)
            if len(recent) >= _ATTEMPTS:
                raise BusyError("too many wrong passwords for this name: wait five minutes.")
