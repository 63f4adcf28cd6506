"""Try in a process of its own whether an HDF5 file can be read to its end: a damaged one may loop for ever.

The HDF5 library follows addresses that stand in the file, so a file whose parts point at each other keeps it
busy without end, and no exception comes. The child process is killed when its time is over. It runs this
file as a script and imports h5py alone.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

# For starting Python and reading small files; then as long as a slow disk takes.
_SECONDS = 15.0
_BYTES_PER_SECOND = 10e6
_MOST_GROUPS = 200_000


def can_be_read(path: Path) -> bool:
    """Whether all attributes and arrays of an HDF5 file can be visited in good time.

    An error counts as an answer: whoever reads the file next meets it too, and can say what it is.
    """
    limit = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    # -P: no module of the working folder is imported in place of h5py.
    command = [sys.executable, "-P", __file__, str(path)]
    try:
        subprocess.run(  # noqa: S603 - this very file
            command,
            timeout=limit,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return False
    return True


def _visit(path: str) -> None:
    """Touch every attribute and array that lies in the file itself."""
    import h5py

    with h5py.File(path, "r") as root:
        waiting = [root]
        seen: set[int] = set()
        while waiting and len(seen) < _MOST_GROUPS:
            node = waiting.pop()
            address = h5py.h5o.get_info(node.id).addr
            if address in seen:
                continue
            seen.add(address)
            # What cannot be read is said by whoever reads it next.
            for name in node.attrs:
                with suppress(Exception):
                    node.attrs[name]
            if not isinstance(node, h5py.Group):
                with suppress(Exception):
                    node.id.get_storage_size()
                continue
            for name in node:
                with suppress(Exception):
                    if isinstance(node.get(name, getlink=True), h5py.HardLink):
                        waiting.append(node[name])


if __name__ == "__main__":
    _visit(sys.argv[1])
