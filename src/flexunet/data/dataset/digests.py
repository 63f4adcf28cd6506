"""Content digests of files, remembered, so that unchanged files are not read again."""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flexunet.errors import PathError
from flexunet.files import cannot_read, write_text

# A file changed twice within the clock tick of its file system keeps its time stamp. So the digest of a file
# that was touched just now is not remembered.
_SETTLED_NS = 2_000_000_000


def digest_of(path: Path) -> str:
    """BLAKE2b digest (128 bits, hexadecimal) of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def digest_of_text(text: str) -> str:
    """BLAKE2b digest (128 bits, hexadecimal) of a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Digests:
    """Digests of files, with the size and time of change that each file had.

    Args:
        index_path: JSON file that holds them between runs; one that cannot be read counts as empty.
    """

    def __init__(self, index_path: Path):
        self.index_path = index_path
        self._known: dict[str, list] = {}
        try:
            known = json.loads(index_path.read_text(encoding="utf-8"))
            self._known = {name: entry for name, entry in known.items() if len(entry) == 3}
        except (OSError, ValueError, AttributeError, TypeError):
            pass

    def of(self, paths: Sequence[Path], workers: int) -> list[str]:
        """Digests of files, in order; only files that are new or have changed are read.

        Raises:
            PathError: if a file is missing or cannot be read.
        """
        with ThreadPoolExecutor(workers) as pool:
            digests = list(pool.map(self._digest, paths))
        self._save()
        return [entry[2] for entry in digests]

    def _digest(self, path: Path) -> list:
        name = str(path.absolute())
        try:
            status = path.stat()
            known = self._known.get(name)
            if known and known[:2] == [status.st_size, status.st_mtime_ns]:
                return known
            entry = [status.st_size, status.st_mtime_ns, digest_of(path)]
        except OSError as error:
            raise PathError(cannot_read(path, error)) from error
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            self._known[name] = entry
        return entry

    def _save(self) -> None:
        kept = {name: entry for name, entry in sorted(self._known.items()) if Path(name).exists()}
        text = json.dumps(kept)
        if not self.index_path.is_file() or self.index_path.read_text(encoding="utf-8") != text:
            write_text(self.index_path, text)
