"""Freed memory is kept, and a process that keeps it works as before."""

import platform
import subprocess
import sys

import pytest

from flexunet.training import allocation

# Allocate, fill and free 64 MiB a few times; print the pages that the last rounds made the system fill.
PROGRAM = """
import resource
import runpy
import numpy as np
kept = {kept} and runpy.run_path({module!r})["keep_freed_memory"]()
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    np.ones(1 << 23)
before = pages()
for _ in range(3):
    np.ones(1 << 23)
print(int(kept), pages() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt belongs to glibc")
def test_a_freed_array_is_had_again_without_new_pages():
    faults = {}
    for kept in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(kept=kept, module=allocation.__file__)],
            capture_output=True,
            text=True,
            check=True,
        )
        took, faults[kept] = map(int, done.stdout.split())
        assert bool(took) is kept
    # 64 MiB are 16,384 pages of 4 KiB; the system may use larger ones.
    assert faults[True] < 100
    assert faults[False] > faults[True]


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert allocation.keep_freed_memory() is False
