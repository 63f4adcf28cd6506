"""What was looked at before, by the digests of the files: in the user's cache folder, for all data sets.

`split` looks at every picture, and `audit` of its result looks at the same ones. A store beside the data set
could be handed on with it, and would then say of a stranger's pictures what the stranger likes; the user's
own cannot. Whatever goes wrong with the store, pictures are looked at again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from flexunet.data.copies.fingerprints import LENGTH, Fingerprint

log = logging.getLogger("flexunet.data")

# Of the fingerprints and of the comparison: to be raised when either changes what it finds.
_FORM = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS fingerprints (digest TEXT PRIMARY KEY, points BLOB, descriptors BLOB);
CREATE TABLE IF NOT EXISTS comparisons (pictures TEXT PRIMARY KEY, pairs TEXT);
"""
_MOST_BYTES = 4 << 30
_AT_ONCE = 256  # fingerprints written in one transaction
_WAITS = 5.0  # seconds for another process


class FingerprintStore:
    """Fingerprints of files, and which pictures of a set are copies of each other; use it in a `with` block.

    Args:
        path: The file; in the user's cache folder by default.
    """

    def __init__(self, path: Path | None = None):
        self.path = path or user_cache_path("flexunet") / "fingerprints.sqlite"
        self._new: list[tuple[str, bytes, bytes]] = []
        self._lock = threading.Lock()
        self._database = self._open()

    def __enter__(self) -> FingerprintStore:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._write()
            if self._database is not None:
                self._database.close()
                self._database = None

    def find(self, digest: str) -> Fingerprint | None:
        """The fingerprint of a file, if it is known."""
        row = self._ask("SELECT points, descriptors FROM fingerprints WHERE digest = ?", digest)
        if row is None:
            return None
        points, descriptors = np.frombuffer(row[0], np.float32), np.frombuffer(row[1], np.uint8)
        return Fingerprint(points.reshape(-1, 2), descriptors.reshape(-1, LENGTH))

    def keep(self, digest: str, fingerprint: Fingerprint) -> None:
        """Keep a fingerprint."""
        row = digest, fingerprint.points.tobytes(), fingerprint.descriptors.tobytes()
        with self._lock:
            self._new.append(row)
            if len(self._new) >= _AT_ONCE:
                self._write()

    def find_pairs(self, digests: Sequence[str]) -> list[list[Any]] | None:
        """What `keep_pairs` kept for these pictures in this order; None where they were not compared."""
        row = self._ask("SELECT pairs FROM comparisons WHERE pictures = ?", _key(digests))
        return None if row is None else json.loads(row[0])

    def keep_pairs(self, digests: Sequence[str], pairs: Sequence[Sequence[Any]]) -> None:
        """Keep which of some pictures are copies."""
        with self._lock:
            self._run(
                "INSERT OR REPLACE INTO comparisons VALUES (?, ?)", [(_key(digests), json.dumps(pairs))]
            )

    def _open(self) -> sqlite3.Connection | None:
        for attempt in range(2):
            database = None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.exists() and self.path.stat().st_size > _MOST_BYTES:
                    self.path.unlink()
                database = sqlite3.connect(self.path, timeout=_WAITS, check_same_thread=False)
                if database.execute("PRAGMA user_version").fetchone()[0] != _FORM:
                    for table in ("fingerprints", "comparisons"):
                        database.execute(f"DROP TABLE IF EXISTS {table}")
                    database.execute(f"PRAGMA user_version = {_FORM}")
                database.executescript(_TABLES)
                return database
            except (sqlite3.DatabaseError, OSError) as error:
                log.debug("%s is not used: %s", self.path, error)
                if database is not None:
                    database.close()
                # One that is no database, or damaged, goes; one that cannot be written, or is in use, stays.
                if attempt or isinstance(error, (sqlite3.OperationalError, OSError)):
                    return None
                self.path.unlink(missing_ok=True)
        return None

    def _ask(self, question: str, value: str) -> tuple[Any, ...] | None:
        with self._lock:
            if self._database is None:
                return None
            try:
                return self._database.execute(question, (value,)).fetchone()
            except sqlite3.Error as error:
                log.debug("%s: %s", self.path, error)
                return None

    def _write(self) -> None:
        rows, self._new = self._new, []
        if rows:
            self._run("INSERT OR IGNORE INTO fingerprints VALUES (?, ?, ?)", rows)

    def _run(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if self._database is None:
            return
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            log.debug("%s: %s", self.path, error)


def _key(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
