"""Volumes as plain arrays, which tell nothing of space: NumPy (`.npy`) and HDF5 (`.h5`, key `image`)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.errors import ImageError
from flexunet.files import replacing

ARRAY_SUFFIXES = (".npy", ".h5", ".hdf5")
_KEY = "image"
_AXES = 3
_NUMBERS = "buif"  # kinds of values


def is_array_file(path: Path) -> bool:
    """Whether this is such a file, by its suffix."""
    return path.suffix.lower() in ARRAY_SUFFIXES


def array_size(path: Path, most: int) -> tuple[int, int, int]:
    """Voxels along the axes of the array, from the header alone; at most `most` in all.

    Raises:
        ImageError: if it is no array of three axes and numbers, or is too large.
    """
    with _opened(path) as array:
        return _checked(path, array, most)


def read_array(path: Path, most: int) -> np.ndarray:
    """The array `(X, Y, Z)`, axes as in the file.

    Raises:
        ImageError: as `array_size`, and if the file is damaged.
    """
    with _opened(path) as array:
        _checked(path, array, most)
        return np.array(array)


def write_array(path: Path, labels: np.ndarray) -> None:
    """Write class indices as `.npy`; the file appears whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(labels), allow_pickle=False)


def open_numpy(path: Path) -> np.ndarray:
    """The array of a `.npy` file, its values not read yet; nothing in it is ever executed.

    Raises:
        ImageError: if it is damaged, or holds no numbers.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in _NUMBERS:
        raise ImageError(f"{path} holds no array of numbers. Save it with numpy.save.")
    return array


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The array of a file, its values not read yet; nothing in it is ever executed."""
    if not path.is_file() or path.stat().st_size == 0:
        raise ImageError(f"{path} {'is empty' if path.is_file() else 'does not exist'}. Copy the file again.")
    if path.suffix.lower() == ".npy":
        yield open_numpy(path)
        return
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = file.get(_KEY)
            if not isinstance(found, h5py.Dataset):
                held = ", ".join(map(str, list(file)[:8])) or "nothing"
                raise ImageError(f"{path} has no array {_KEY!r}; it has {held}. Save the volume so.")
            own = isinstance(file.get(_KEY, getlink=True), h5py.HardLink)
            if not own or found.is_virtual or found.external:
                raise ImageError(f"{path} takes its voxels from another file. Save them in it.")
            yield found
    except OSError as error:
        raise _damaged(path, error) from error


def _checked(path: Path, array: Any, most: int) -> tuple[int, int, int]:
    if not isinstance(array.dtype, np.dtype) or array.dtype.kind not in _NUMBERS:
        raise ImageError(f"{path} holds no numbers, but {array.dtype}. Save the volume as numbers.")
    shape = tuple(int(side) for side in array.shape)
    told = " x ".join(map(str, shape))
    if len(shape) != _AXES or 0 in shape:
        raise ImageError(
            f"{path} has {len(shape)} axes ({told}); expected three. Save one volume a file, or predict it "
            "as an image: flexunet infer."
        )
    if np.prod(shape, dtype=np.float64) > most:
        raise ImageError(f"{path} is too large: {told} voxels; at most {most:,} are read.")
    return shape[0], shape[1], shape[2]


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(f"{path} is truncated or damaged ({str(error)[:100]}). Copy or export the file again.")
