"""Journals: what a long run has finished, one line of JSON each, so that a later run goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flexunet.files import explaining, write_text


def read_journal(path: Path) -> list[Any]:
    """The entries of a journal, oldest first; none where there is no file.

    A line that a crash cut short is passed over.
    """
    entries = []
    if path.is_file():
        # Bytes: text has further ends of lines, which names of files may hold.
        for line in path.read_bytes().split(b"\n"):
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
    return entries


def append_to_journal(path: Path, entry: Any) -> None:
    """Add an entry at the end, on a line of its own even where a crash cut the one before short.

    Raises:
        PathError: if the file cannot be written.
    """
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            cut = stream.tell() and (stream.seek(-1, 2), stream.read(1))[1] != b"\n"
            stream.write((b"\n" if cut else b"") + _line(entry))


def write_journal(path: Path, entries: Iterable[Any]) -> None:
    """Leave these entries alone in a journal, whole or as it was before.

    Raises:
        PathError: if the file cannot be written.
    """
    write_text(path, b"".join(map(_line, entries)).decode("utf-8"))


def _line(entry: Any) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode("utf-8") + b"\n"
