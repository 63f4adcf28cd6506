"""Writing without loss: a file appears whole under its name, or not at all; dead links; parts of pages.

What is being written stands under a hidden name that tells host and process,
`.NAME.HOST-PROCESS-NUMBER.partial` and the suffix. So what a killed process left is known, and the next run
removes it (`sweep`).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import PathError

if TYPE_CHECKING:
    from jinja2 import Environment

PARTIAL = ".partial"
NOWHERE = (
    "is a link that leads nowhere: fetch what it stands for (git annex get, datalad get), mount its disk, or "
    "remove it."
)
_ABANDONED = 3600  # seconds after which a half-written file of an unknown process is taken for left over
_LOOKED_AT = 256  # bytes by which a web page or a Git-LFS pointer is known
_LONGEST_STEM = 80  # bytes of a name that its hidden name keeps; file systems allow 255 in all
_OURS = re.compile(
    r"\..*\.(?:(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}"
    r"|(?P<older_file>[0-9a-f]{12})|(?P<older_folder>[0-9a-f]{8}))\.partial(?:\.[^.]+){0,2}",
    re.DOTALL,
)
_being_written: set[Path] = set()
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
    with explaining(path), unfinished(path) as temporary:
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


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield the hidden name beside `path` for what is being written; `sweep` leaves it alone meanwhile."""
    stem = path.stem.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")
    written_by = f"{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary = path.parent / f".{stem}.{written_by}{PARTIAL}{path.suffix}"
    _being_written.add(temporary.absolute())
    try:
        yield temporary
    finally:
        _being_written.discard(temporary.absolute())


def sweep(*folders: Path, alone: bool = False, below: bool = False) -> None:
    """Remove what killed runs left half written in folders.

    Left alone is what a living process of this host writes. What another host writes, or an earlier version
    of FlexUNet wrote, is removed when nobody touched it for an hour.

    Args:
        folders: The folders; those that do not exist are passed over.
        alone: Whether no other run can be at work there, as a lock is held: then there is no hour's wait.
        below: Whether folders below them are searched too.
    """
    for folder in folders:
        for path in folder.rglob(f".*{PARTIAL}*") if below else folder.glob(f".*{PARTIAL}*"):
            if (match := _OURS.fullmatch(path.name)) and _is_left_over(path, match, alone):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        path.unlink()


def _is_left_over(path: Path, match: re.Match[str], alone: bool) -> bool:
    # Folders of older versions bear 8 digits; one with 12 is a split that can go on.
    if match["process"] is None and path.is_dir() != bool(match["older_folder"]):
        return False
    if match["host"] == _host() and sys.platform != "win32":
        process = int(match["process"])
        return path.absolute() not in _being_written if process == os.getpid() else not _is_alive(process)
    try:
        latest = max(part.stat().st_mtime for part in (path, *(path.iterdir() if path.is_dir() else ())))
    except OSError:
        return False
    return alone or time.time() - latest > _ABANDONED


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def impostor(path: Path) -> str:
    """What stands in place of a file that was to be downloaded, and the remedy; "" where nothing does.

    Examples:
        "it is a Git-LFS pointer (130 bytes), not the file itself: run `git lfs pull`"
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(_LOOKED_AT).lstrip().lower()
    except OSError:
        return ""
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return f"it is a Git-LFS pointer ({size} bytes), not the file itself: run `git lfs pull`"
    if start.removeprefix(b"\xef\xbb\xbf").startswith((b"<!doctype html", b"<html")):
        return f"it is a web page ({size} bytes), saved in place of the file: download it again"
    return ""


def flush_to_disk(path: Path) -> None:
    """Wait until the contents of a closed file are on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; without effect on Windows, which opens no folder."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file of bytes so that it is whole or not there at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file, line ends as given, so that it is whole or not there at all."""
    write_bytes(path, text.encode("utf-8"))


def leads_nowhere(path: Path) -> bool:
    """Whether this is a link to a file that is not there, as DataLad and unmounted disks leave them."""
    return path.is_symlink() and not path.exists()


def cannot_read(path: Path, error: OSError) -> str:
    """Say why the system does not give a file, and what to do."""
    if leads_nowhere(path):
        return f"{path} {NOWHERE}"
    return f"cannot read {path}: {error.strerror or error}. Check its permissions."


def templates_of(package: str) -> Environment:
    """The templates of a package's pages: values are escaped, and a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def with_tables(page: str, first: str, last: str, tables: str) -> str:
    """A page of the documentation with other tables between two of its lines.

    Args:
        page: The page.
        first: Line before the tables.
        last: Line after them.
        tables: The new ones.

    Raises:
        ValueError: if the page lacks one of the lines.
    """
    before, start, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (start and end):
        raise ValueError(f"the page needs the lines {first!r} and {last!r}")
    return f"{before}{start}\n\n{tables}\n\n{end}{after}"


def renew_page(path: Path | str, renewed: Callable[[str], str]) -> None:
    """Write a page again as `renewed` makes it of its text.

    Raises:
        ValueError: if the page has no place for what is generated; it then stays as it is.
    """
    path = Path(path)
    write_text(path, renewed(path.read_text(encoding="utf-8")))
