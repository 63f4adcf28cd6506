"""Which files a desk may touch: those inside its folder, wherever links lead."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from flexunet.errors import PathError

_WINDOWS_NAMES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.I)
_NO_NAME = re.compile(r'[\x00-\x1f<>:"\\|?*]|[. ]$')


def is_inside(path: Path, root: Path) -> bool:
    """Whether a file lies in a folder when all links are followed."""
    return path.resolve().is_relative_to(root.resolve())


class Fence:
    """Tells of many files whether they lie in a folder; each folder is followed once, and each link.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._folders: dict[Path, bool] = {}

    def holds(self, path: Path) -> bool:
        """Whether a file lies in the folder when all links are followed."""
        if path.is_symlink():
            return path.resolve().is_relative_to(self.root)
        if path.parent not in self._folders:
            self._folders[path.parent] = path.parent.resolve().is_relative_to(self.root)
        return self._folders[path.parent]


def find_inside(root: Path, text: str) -> Path:
    """The file or folder that a request names, which must be in a folder.

    Args:
        root: The folder.
        text: Path relative to it, forward slashes.

    Raises:
        PathError: if it is absolute, leads out of the folder (`..`, a link), or bears a name that Windows
            reads as a device, a drive or a stream.
    """
    parts = PurePosixPath(text).parts
    bad = [part for part in parts if part == ".." or _NO_NAME.search(part) or _WINDOWS_NAMES.fullmatch(part)]
    if not text or text.startswith("/") or bad:
        raise PathError("expected a path inside the folder of the desk, without '..', drive or device name.")
    path = root.joinpath(*parts)
    if not is_inside(path, root):
        raise PathError("expected a path inside the folder of the desk, found a link that leads out of it.")
    return path
