"""Images and masks of a data set, decoded once into a memory-mapped cache.

    <cache_dir>/<key>/images.npy    N x H x W x C, uint8 or uint16
                      masks.npy     N x H x W, uint8 class indices
                      entry.json    what it was made from, and check sums
    <cache_dir>/digests.json        digests of the files seen, so that unchanged ones are not read again

The key is a digest of the contents of all files, in their order, and of the settings. An entry is written
under a temporary name and renamed when it is whole, so a run that is cut off leaves no half cache.
"""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from flexunet.data.cache.entry import (
    Layout,
    is_whole,
    remove_stale,
    write_entry,
)
from flexunet.data.cache.own_size import OwnSizeCache, OwnSizeLayout
from flexunet.data.cache.pair_reader import CropReader, PairReader
from flexunet.data.cache.stack import IMAGES, MASKS, StackLayout
from flexunet.data.dataset.digests import Digests, digest_of_text
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import PathError
from flexunet.files import explaining, sweep
from flexunet.progress import Progress, silent

__all__ = ["Cache", "OwnSizeCache", "open_cache", "open_own_size_cache"]

Opened = TypeVar("Opened")
# Of the name of an entry, by which a checkpoint knows its data again: it stays. `entry.VERSION` tells entries
# whose arrays would be other ones today.
_NAMING = 1


class Cache:
    """Decoded images and masks on disk. Nothing is held in memory but what is asked for.

    Attributes:
        images: `(N, H, W, C)` uint8 or uint16, memory-mapped.
        masks: `(N, H, W)` uint8 class indices, memory-mapped.
        pairs: Where each image and mask came from, same order.
    """

    def __init__(self, folder: Path, pairs: Sequence[Pair]):
        self.folder = folder
        self.pairs = list(pairs)
        self.images: np.memmap = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        self.masks: np.memmap = np.load(folder / MASKS, mmap_mode="r", allow_pickle=False)

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Copy of some images and masks: `(n, H, W, C)` and `(n, H, W)`.

        Reads from the files rather than through the maps: pages of a map count as memory of the process, and
        over an epoch they would come to the whole data set.

        Raises:
            PathError: if the files have been cut short meanwhile.
        """
        images = _read_rows(self.folder / IMAGES, self.images, indices)
        return images, _read_rows(self.folder / MASKS, self.masks, indices)

    @property
    def holds_lesion(self) -> np.ndarray:
        """Of each image, whether its mask has a class above 0; bool `(N,)`. Reads all masks."""
        parts = np.array_split(np.arange(len(self)), -(-len(self) // 64))
        masks = (_read_rows(self.folder / MASKS, self.masks, part) for part in parts)
        return np.concatenate([((part > 0) & (part != IGNORED)).any(axis=(1, 2)) for part in masks])


def open_cache(
    pairs: Sequence[Pair],
    *,
    width: int,
    height: int,
    channels: int,
    masks: MaskReader,
    cache_dir: Path | str | None,
    dicom_window: str = "auto",
    grey_range: str = "full",
    normalize: str = "none",
    workers: int | None = None,
    progress: Progress = silent,
) -> Cache:
    """Open the decoded images and masks of some pairs; decode them first if that was not done before.

    Args:
        pairs: What to load, in this order.
        width: Width of the arrays; images are scaled linearly, masks by nearest neighbour.
        height: Height of the arrays.
        channels: 3 or 1.
        masks: How masks are read.
        cache_dir: Folder for caches; None for a temporary one that goes with the Cache.
        dicom_window: As in `read_image`.
        grey_range: As in `read_image`.
        normalize: As in `normalise`.
        workers: Threads that decode; as many as processors, at most 8, if not given.
        progress: Told how many images are decoded, where they are not in the cache yet.

    Raises:
        ImageError, MaskError: if a file cannot be used; up to ten such files are named at once.
        PathError: if there are no pairs, a file is missing, or the cache cannot be written (disk full).
    """
    reader = PairReader(width, height, channels, masks, dicom_window, grey_range, normalize)
    return open_entry(pairs, reader, StackLayout(), Cache, cache_dir, workers, progress)


def open_own_size_cache(
    pairs: Sequence[Pair],
    *,
    width: int,
    height: int,
    crop_size: int,
    channels: int,
    masks: MaskReader,
    cache_dir: Path | str | None,
    dicom_window: str = "auto",
    grey_range: str = "full",
    normalize: str = "none",
    workers: int | None = None,
    progress: Progress = silent,
) -> OwnSizeCache:
    """Open the decoded images and masks of some pairs at their own sizes, to take crops of them.

    Args:
        pairs: What to load, in this order.
        width: Width of a crop as the model takes it; smaller images are padded to it.
        height: Height of a crop.
        crop_size: Width of a crop in pixels of the file: all images are scaled by `width / crop_size`.
        channels: As in `open_cache`, like the rest.
        masks: How masks are read.
        cache_dir: Folder for caches.
        dicom_window: As in `read_image`.
        grey_range: As in `read_image`.
        normalize: As in `normalise`.
        workers: Threads that decode.
        progress: Told how many images are decoded, where they are not in the cache yet.

    Raises:
        ImageError, MaskError, PathError: as in `open_cache`.
    """
    reader = CropReader(width, height, channels, masks, dicom_window, grey_range, normalize, crop_size)
    return open_entry(pairs, reader, OwnSizeLayout(), OwnSizeCache, cache_dir, workers, progress)


def open_entry(
    pairs: Sequence[Pair],
    reader: PairReader,
    layout: Layout,
    opened: Callable[[Path, Sequence[Pair]], Opened],
    cache_dir: Path | str | None,
    workers: int | None,
    progress: Progress,
) -> Opened:
    """Open an entry of the cache, whatever its layout; write it first if it is not there.

    Args:
        pairs: What to load, in this order.
        reader: Reads a pair.
        layout: How the arrays lie on the disk.
        opened: Makes what is returned, of the folder of the entry and the pairs.
        cache_dir: As in `open_cache`, like the rest.
        workers: Threads that decode.
        progress: Told how many images are decoded, where they are not in the cache yet.

    Raises:
        ImageError, MaskError, PathError: as in `open_cache`.
    """
    if not pairs:
        raise PathError("no images to load: the list of image and mask pairs is empty.")
    workers = workers or min(8, _processors())
    root = Path(cache_dir if cache_dir is not None else tempfile.mkdtemp(prefix="flexunet-cache-"))
    try:
        folder = _entry(root, pairs, reader, layout, workers, progress)
        cache = opened(folder, pairs)
    except BaseException:
        if cache_dir is None:
            shutil.rmtree(root, ignore_errors=True)
        raise
    if cache_dir is None:
        weakref.finalize(cache, shutil.rmtree, root, ignore_errors=True)
    return cache


def _entry(
    root: Path,
    pairs: Sequence[Pair],
    reader: PairReader,
    layout: Layout,
    workers: int,
    progress: Progress,
) -> Path:
    """Folder of the cache entry for these files and settings, written now if it is not there or damaged."""
    files = [path for pair in pairs for path in (pair.image_path, *reader.masks.files(pair.mask_path))]
    with explaining(root):
        root.mkdir(parents=True, exist_ok=True)
        digests = Digests(root / "digests.json").of(files, workers)
        folder = root / digest_of_text(json.dumps([_NAMING, reader.settings(), digests]))
        if not is_whole(folder, layout, len(pairs)):
            sweep(root)
            write_entry(folder, pairs, reader, layout, workers, progress)
            remove_stale(root, folder)
        os.utime(folder)  # used last: this keeps it from being removed as stale
    return folder


def _read_rows(path: Path, array: np.memmap, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    rows = np.empty((len(indices), *array.shape[1:]), array.dtype)
    try:
        stream = path.open("rb", buffering=0)
    except FileNotFoundError:  # another run has removed the entry; the map still holds what was there
        rows[:] = array[np.asarray(indices, int)]
        return rows
    with stream:
        for row, index in zip(rows, indices, strict=True):
            stream.seek(array.offset + int(index) * row.nbytes)
            if stream.readinto(row.data) != row.nbytes:
                raise PathError(f"{path} has been cut short. Delete it and run again.")
    return rows


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
