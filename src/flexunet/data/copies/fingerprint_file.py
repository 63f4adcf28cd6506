"""Fingerprints of many pictures, on disk: 35 KB a picture, which would be 3.5 GB of memory for 100,000."""

from __future__ import annotations

import mmap
import tempfile
import threading
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np

from flexunet.data.copies.fingerprints import LENGTH, Fingerprint

_TAKEN_AT_ONCE = 4096  # features; each may lie on a page of its own
_POINT = np.dtype((np.float32, 2))


class FingerprintFile(Sequence[Fingerprint]):
    """Fingerprints in two files without a name, which go when they are closed: use it in a `with` block.

    Args:
        fingerprints: The first ones; `add` takes more.
    """

    def __init__(self, fingerprints: Iterable[Fingerprint] = ()):
        self._points = tempfile.TemporaryFile()  # noqa: SIM115
        self._descriptors = tempfile.TemporaryFile()  # noqa: SIM115
        self._ends = [0]
        self._reading = threading.Lock()
        self._map: mmap.mmap | None = None
        for fingerprint in fingerprints:
            self.add(fingerprint)

    def __enter__(self) -> FingerprintFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._map = None
        self._points.close()
        self._descriptors.close()

    def add(self, fingerprint: Fingerprint) -> None:
        """Keep one more."""
        self._points.seek(0, 2)
        self._points.write(np.ascontiguousarray(fingerprint.points, np.float32).data)
        self._descriptors.seek(0, 2)
        self._descriptors.write(np.ascontiguousarray(fingerprint.descriptors).data)
        self._ends.append(self._ends[-1] + len(fingerprint.points))
        self._map = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, position: int) -> Fingerprint: ...
    @overload
    def __getitem__(self, position: slice) -> list[Fingerprint]: ...
    def __getitem__(self, position: int | slice) -> Fingerprint | list[Fingerprint]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        position %= len(self)
        start, end = self._ends[position : position + 2]
        with self._reading:  # pictures are compared in threads, and the file has one position
            self._points.seek(start * _POINT.itemsize)
            content = self._points.read((end - start) * _POINT.itemsize)
            descriptors = self.descriptors[start:end].copy()
        return Fingerprint(np.frombuffer(content, np.float32).reshape(-1, 2), descriptors)

    @property
    def starts(self) -> np.ndarray:
        """Position of the first feature of each picture, then the number of all: int64 `(n + 1,)`."""
        return np.array(self._ends, np.int64)

    @property
    def descriptors(self) -> np.ndarray:
        """Descriptors of all pictures, uint8 `(features, 128)`, mapped from the file."""
        if not self._ends[-1]:
            return np.zeros((0, LENGTH), np.uint8)
        if self._map is None:
            self._descriptors.flush()
            self._map = mmap.mmap(
                self._descriptors.fileno(), self._ends[-1] * LENGTH, access=mmap.ACCESS_READ
            )
        return np.frombuffer(self._map, np.uint8).reshape(-1, LENGTH)

    def take(self, features: np.ndarray) -> np.ndarray:
        """Descriptors of some features, uint8 `(n, 128)`, read in the order of the file."""
        taken = np.empty((len(features), LENGTH), np.uint8)
        order = np.argsort(features, kind="stable")
        for start in range(0, len(order), _TAKEN_AT_ONCE):
            part = order[start : start + _TAKEN_AT_ONCE]
            taken[part] = self.descriptors[features[part]]
            self.release()
        return taken

    def release(self) -> None:
        """Give back the memory of the descriptors that were read; the next look reads them again."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
