"""Writing without loss: a file appears whole under its name, or not at all."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flexunet.errors import PathError

PARTIAL = ".partial"
_REFUSALS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "the file is larger than the system allows here: raise the limit, or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "access is denied: choose another folder or change its rights",
    errno.EPERM: "the system does not permit it: choose another folder or change its rights",
    errno.ENOTDIR: "part of its path is a file, not a folder",
    errno.EEXIST: "part of its path is a file, not a folder",
    errno.EISDIR: "a folder has that name",
    errno.EINVAL: "the system does not accept its name: choose another",
    errno.ENAMETOOLONG: "its name is too long for this file system",
}


@contextmanager
def explaining(path: Path | str) -> Iterator[None]:
    """Turn what the system says when it refuses a write to `path` into a PathError with its remedy."""
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno or 0)
        if reason is None:
            raise
        raise PathError(f"cannot write {path}: {reason}.") from error


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; flush it to disk and rename it to `path` at the end.

    The temporary name is hidden, unique and keeps the suffix, since many writers choose the format by it.
    The folder is made if it is missing. If the body raises, the temporary file or folder is removed and
    what was at `path` before is untouched. A folder can be written this way too, if none is at `path` yet.

    Raises:
        PathError: if the file cannot be written (disk full, no rights, read-only, a folder in the way).
    """
    path = Path(path)
    temporary = path.parent / f".{path.stem[:80]}.{uuid.uuid4().hex[:12]}{PARTIAL}{path.suffix}"
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if temporary.is_file():
                flush_to_disk(temporary)
            temporary.replace(path)
        except BaseException:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
            raise


def flush_to_disk(path: Path) -> None:
    """Wait until the contents of a closed file are on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file of bytes so that it is whole or not there at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file, line ends as given, so that it is whole or not there at all."""
    write_bytes(path, text.encode("utf-8"))
