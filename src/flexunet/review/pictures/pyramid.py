"""An image at several sizes, cut into tiles, kept beside the data set under the hash of its file.

    DESK/tiles/1-SHA256/facts.json     size, depth, range, windows
    DESK/tiles/1-SHA256/0.npy          uint16, full size
    DESK/tiles/1-SHA256/1.npy          half of it, each pixel the mean of four; and so on

The levels are memory-mapped, so that a tile costs the reading of its own pixels.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flexunet.data.dicom.read import is_dicom_file, read_header
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.images.files.read import read_image
from flexunet.data.images.pixels import as_grey
from flexunet.errors import PathError
from flexunet.files import replacing
from flexunet.review.pictures.windows import Window, windows_of

TILE = 512
_VERSION = 1  # raise it when the same file would give other tiles


@dataclass(frozen=True)
class Picture:
    """An image as the page is told of it.

    Attributes:
        folder: Where its levels lie.
        width: Pixels at full size.
        height: Pixels at full size.
        bits: Bits of a value.
        minimum: Least value.
        maximum: Greatest value.
        windows: Windows to show it by.
        levels: Width and height of each level, full size first.
    """

    folder: Path
    width: int
    height: int
    bits: int
    minimum: int
    maximum: int
    windows: list[Window]
    levels: list[tuple[int, int]]

    def level(self, number: int) -> np.ndarray:
        """The pixels of a level, uint16 `(H, W)`, memory-mapped.

        Raises:
            PathError: if there is no such level.
        """
        if not 0 <= number < len(self.levels):
            raise PathError(f"expected a level from 0 to {len(self.levels) - 1}, found {number}.")
        return np.load(self.folder / f"{number}.npy", mmap_mode="r", allow_pickle=False)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Pixels of a tile, uint16, cut to the image.

        Raises:
            PathError: if there is no such tile.
        """
        pixels = self.level(level)
        if column < 0 or row < 0 or column * TILE >= pixels.shape[1] or row * TILE >= pixels.shape[0]:
            raise PathError(f"level {level} has no tile in column {column} and row {row}.")
        return pixels[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]


class Pyramids:
    """The images of a desk at several sizes.

    Args:
        folder: Where they are kept.
        most_bytes: Beyond this, those that nobody has opened for longest are removed.
    """

    def __init__(self, folder: Path, most_bytes: int = 8 << 30):
        self.folder = folder
        self.most_bytes = most_bytes
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def open(self, path: Path, sha256: str) -> Picture:
        """The levels of an image, made when it is opened for the first time.

        Args:
            path: The image file.
            sha256: SHA-256 of its content.

        Raises:
            ImageError: if it cannot be read.
            PathError: if the levels cannot be written.
        """
        folder = self.folder / f"{_VERSION}-{sha256}"
        with self._lock:
            lock = self._locks.setdefault(sha256, threading.Lock())
        with lock:
            facts = _read_facts(folder)
            if facts is None:
                facts = _make(path, folder)
                self._bound(folder)
            os.utime(folder)
        return Picture(folder, **{**facts, "levels": [tuple(size) for size in facts["levels"]]})

    def _bound(self, newest: Path) -> None:
        folders = [(path.stat().st_mtime, path) for path in self.folder.iterdir() if path.is_dir()]
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for _, path in folders}
        total = sum(sizes.values())
        for _, path in sorted(folders):
            if total <= self.most_bytes:
                break
            if path != newest:
                total -= sizes[path]
                shutil.rmtree(path, ignore_errors=True)


def _read_facts(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _make(path: Path, folder: Path) -> dict[str, Any]:
    pixels = as_grey(read_image(path, None, dicom_window="stored"))[..., 0]
    bits = 8 if pixels.dtype == np.uint8 else 16
    if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path):
        bits = int(read_header(path).BitsStored)
    minimum, maximum = int(pixels.min()), int(pixels.max())
    height, width = pixels.shape
    plane: np.ndarray = pixels.astype(np.uint16, copy=False)
    levels: list[tuple[int, int]] = []
    shutil.rmtree(folder, ignore_errors=True)  # one that lacks its facts
    with replacing(folder) as temporary:
        temporary.mkdir()
        while True:
            np.save(temporary / f"{len(levels)}.npy", np.ascontiguousarray(plane), allow_pickle=False)
            levels.append((plane.shape[1], plane.shape[0]))
            if max(plane.shape) <= TILE:
                break
            half = ((plane.shape[1] + 1) // 2, (plane.shape[0] + 1) // 2)
            plane = cv2.resize(plane, half, interpolation=cv2.INTER_AREA)
        facts = {
            "width": width,
            "height": height,
            "bits": bits,
            "minimum": minimum,
            "maximum": maximum,
            "windows": windows_of(path, minimum, maximum, bits),
            "levels": levels,
        }
        (temporary / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return facts
