"""Memory that a training step frees is kept for the next step.

A step allocates and frees arrays of a megabyte and more. The C library hands each of them back to the system,
which fills it with zeros before the next step may have it again: a tenth of the processor time of a step of
the published model, and nearly half of the demo's on a machine whose system is slow at it. Kept, they cost a
little memory more.
"""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3) in glibc.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the C library to keep what is freed; for the rest of the process.

    Returns:
        Whether it does: on Linux with glibc. Elsewhere nothing changes.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Large blocks come from the heap, the heap never shrinks, and one heap serves all threads, so that what
    # one thread has freed the next one finds.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST_INT), (_ARENA_MAX, 1))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
