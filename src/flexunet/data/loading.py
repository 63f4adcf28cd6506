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
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from flexunet.data.batches import Batches
from flexunet.data.digests import Digests, digest_of_text
from flexunet.data.files import PARTIAL, explaining
from flexunet.data.images import read_image, resize_image
from flexunet.data.masks import TOLERANCE, ColorMap, read_mask, resize_mask
from flexunet.data.pairs import Pair
from flexunet.errors import InputError, MaskError, PathError

__all__ = ["Batches", "Cache", "open_cache", "read_pair"]

_VERSION = 1  # raise when the same files would give other arrays
_KEPT = 3  # entries kept of one image folder, latest used first
_ABANDONED = 3600  # seconds after which an unfinished entry is taken for one that was cut off
_CHECKED = 8  # images whose check sums are compared on opening
_LISTED = 10

Progress = Callable[[int, int], None]


class Cache:
    """Decoded images and masks on disk. Nothing is held in memory but what is asked for.

    Attributes:
        images: `(N, H, W, C)` uint8 or uint16, memory-mapped.
        masks: `(N, H, W)` uint8 class indices, memory-mapped.
        pairs: Where each image and mask came from, same order.
    """

    def __init__(self, folder: Path, pairs: Sequence[Pair], temporary: Any = None):
        self.folder = folder
        self.pairs = list(pairs)
        self.images: np.ndarray = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        self.masks: np.ndarray = np.load(folder / "masks.npy", mmap_mode="r", allow_pickle=False)
        self._temporary = temporary  # keeps a temporary folder alive as long as the cache

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Copy of some images and masks: `(n, H, W, C)` and `(n, H, W)`.

        Reads from the files rather than through the map: pages of a map count as memory of the process, and
        over an epoch that would be the whole data set.
        """
        images = _read_rows(self.folder / "images.npy", self.images, indices)
        return images, _read_rows(self.folder / "masks.npy", self.masks, indices)


def open_cache(
    pairs: Sequence[Pair],
    *,
    width: int,
    height: int,
    channels: int,
    color_map: ColorMap,
    cache_dir: Path | str | None,
    threshold: float | None = None,
    tolerance: float = TOLERANCE,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Cache:
    """Open the decoded images and masks of some pairs; decode them first if that was not done before.

    Args:
        pairs: What to load, in this order.
        width: Width of the arrays; images are scaled linearly, masks by nearest neighbour.
        height: Height of the arrays.
        channels: 3 or 1.
        color_map: Colours of the classes.
        cache_dir: Folder for caches; None for a temporary one that goes when the cache is closed.
        threshold: As in `read_mask`.
        tolerance: As in `read_mask`.
        workers: Threads that decode; as many as processors, at most 8, if not given.
        progress: Called with (done, total) while decoding.

    Raises:
        ImageError, MaskError: if a file cannot be used; up to ten such files are named at once.
        PathError: if there are no pairs, or the cache cannot be written (disk full).
    """
    if not pairs:
        raise PathError("no images to load: the list of image and mask pairs is empty.")
    temporary = tempfile.TemporaryDirectory(prefix="flexunet-cache-") if cache_dir is None else None
    root = Path(temporary.name if temporary else cache_dir or "")
    workers = workers or min(8, _processors())
    settings = {
        "version": _VERSION,
        "width": width,
        "height": height,
        "channels": channels,
        "rgb_map": list(color_map.colors_to_class.items()),
        "threshold": threshold,
        "tolerance": tolerance,
    }
    files = [path for pair in pairs for path in (pair.image_path, pair.mask_path)]
    with explaining(root):
        root.mkdir(parents=True, exist_ok=True)
        digests = Digests(root / "digests.json").of(files, workers)
    folder = root / digest_of_text(json.dumps([settings, digests]))
    if not _is_whole(folder, len(pairs)):
        label = str(pairs[0].image_path.parent.absolute())
        _remove_abandoned(root)
        _build(folder, pairs, settings, label, workers, progress)
        _remove_stale(root, folder, label)
    os.utime(folder)
    return Cache(folder, pairs, temporary)


def read_pair(
    pair: Pair,
    *,
    width: int,
    height: int,
    channels: int,
    color_map: ColorMap,
    threshold: float | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[np.ndarray, np.ndarray]:
    """Read an image `(height, width, channels)` and its mask `(height, width)`, both resized.

    Raises:
        ImageError, MaskError: if a file cannot be used, or image and mask differ in size.
    """
    image = read_image(pair.image_path, channels)
    mask = read_mask(pair.mask_path, color_map, tolerance=tolerance, threshold=threshold)
    if image.shape[:2] != mask.shape:
        raise MaskError(
            f"mask {pair.mask_path} is {mask.shape[1]} x {mask.shape[0]} pixels, but its image "
            f"{pair.image_path} is {image.shape[1]} x {image.shape[0]}. They must have the same size."
        )
    return resize_image(image, width, height), resize_mask(mask, width, height)


class _DeeperThanExpected(Exception):  # noqa: N818 - a signal, not an error
    """A 16-bit image turned up among 8-bit ones."""


def _build(
    folder: Path,
    pairs: Sequence[Pair],
    settings: dict[str, Any],
    label: str,
    workers: int,
    progress: Progress | None,
) -> None:
    options = {name: settings[name] for name in ("width", "height", "channels", "threshold", "tolerance")}
    options["color_map"] = ColorMap(dict(settings["rgb_map"]))
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}{PARTIAL}"
    with explaining(folder):
        try:
            partial.mkdir()
            try:
                sums = _decode_all(partial, pairs, options, np.dtype(np.uint8), workers, progress)
            except _DeeperThanExpected:
                sums = _decode_all(partial, pairs, options, np.dtype(np.uint16), workers, progress)
            entry = {"images": label, "settings": settings, "sums": sums}
            (partial / "entry.json").write_text(json.dumps(entry), encoding="utf-8")
            _take_place(partial, folder, len(pairs))
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _decode_all(
    folder: Path,
    pairs: Sequence[Pair],
    options: dict[str, Any],
    dtype: np.dtype,
    workers: int,
    progress: Progress | None,
) -> list[list[int]]:
    """Write `images.npy` and `masks.npy`; returns the check sums of each image and mask.

    The arrays are written as a stream, in order, by this thread alone: a full disk is then an ordinary error
    (through a memory map it would kill the process), and memory stays at a few images for each worker.
    """
    shape = (len(pairs), options["height"], options["width"])
    image_shape = (*shape, options["channels"])
    _require_space(folder, int(np.prod(image_shape)) * dtype.itemsize + int(np.prod(shape)))
    sums: list[list[int]] = []
    failures: list[InputError] = []
    with (
        (folder / "images.npy").open("wb") as images,
        (folder / "masks.npy").open("wb") as masks,
    ):
        _write_header(images, image_shape, dtype)
        _write_header(masks, shape, np.dtype(np.uint8))
        for done, result in enumerate(_in_order(pairs, options, workers), start=1):
            if isinstance(result, InputError):
                failures.append(result)
                if len(failures) == _LISTED:
                    break
            elif not failures:
                image, mask = result
                if image.dtype == np.uint16 and dtype == np.uint8:
                    raise _DeeperThanExpected
                if image.dtype == np.uint8 and dtype == np.uint16:
                    image = image.astype(np.uint16) * 257
                image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
                images.write(image.data)
                masks.write(mask.data)
                sums.append([zlib.crc32(image.data), zlib.crc32(mask.data)])
            if progress:
                progress(done, len(pairs))
        for stream in (images, masks):
            stream.flush()
            os.fsync(stream.fileno())
    _raise_together(failures)
    return sums


def _in_order(
    pairs: Sequence[Pair], options: dict[str, Any], workers: int
) -> Iterator[tuple[np.ndarray, np.ndarray] | InputError]:
    """Decode in threads, never more than two images for each worker ahead. Decoders release the GIL."""

    def attempt(pair: Pair) -> tuple[np.ndarray, np.ndarray] | InputError:
        try:
            return read_pair(pair, **options)
        except InputError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting = deque(pool.submit(attempt, pair) for pair in pairs[: 2 * workers])
            for pair in pairs[2 * workers :]:
                yield waiting.popleft().result()
                waiting.append(pool.submit(attempt, pair))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _raise_together(failures: list[InputError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        more = " (and perhaps more)" if len(failures) == _LISTED else ""
        lines = "\n  ".join(str(failure) for failure in failures)
        raise type(failures[0])(f"{len(failures)} files cannot be used{more}:\n  {lines}")


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PathError(
            f"the image cache in {folder.parent} needs {needed / 1e9:.1f} GB, only {free / 1e9:.1f} GB are "
            "free. Free some space or set [train] cache_dir to a larger disk."
        )


def _take_place(partial: Path, folder: Path, count: int) -> None:
    """Rename a finished entry to its name, unless another run has finished the same one meanwhile."""
    try:
        partial.replace(folder)
    except OSError:
        if _is_whole(folder, count):
            return
        shutil.rmtree(folder, ignore_errors=True)  # damaged: this is what made us build it again
        partial.replace(folder)


def _is_whole(folder: Path, count: int) -> bool:
    """Whether an entry can be used: files as long as they should be, and some images as they were written."""
    try:
        entry = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        sums = entry["sums"]
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        masks = np.load(folder / "masks.npy", mmap_mode="r", allow_pickle=False)
        if not len(sums) == len(images) == len(masks) == count:
            return False
        checked = np.unique(np.linspace(0, count - 1, _CHECKED).astype(int))
        return all(
            [zlib.crc32(np.ascontiguousarray(array[index]).data) for array in (images, masks)] == sums[index]
            for index in checked
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return False


def _remove_stale(root: Path, current: Path, label: str) -> None:
    """Keep the entries used last for an image folder, so that changing data does not fill the disk."""
    entries = []
    for path in root.iterdir():
        try:
            entry = json.loads((path / "entry.json").read_text(encoding="utf-8"))
            if path != current and entry["images"] == label:
                entries.append((path.stat().st_mtime, path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    for _, path in sorted(entries, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    """Remove what runs that were cut off have left; one still being written has changed lately."""
    for path in root.glob(f".*{PARTIAL}"):
        try:
            latest = max(part.stat().st_mtime for part in (path, *path.iterdir()))
        except OSError:
            continue
        if time.time() - latest > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _read_rows(path: Path, array: np.ndarray, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    rows = np.empty((len(indices), *array.shape[1:]), array.dtype)
    first = array.offset  # type: ignore[attr-defined]
    with path.open("rb", buffering=0) as stream:
        for row, index in zip(rows, indices, strict=True):
            stream.seek(first + int(index) * row.nbytes)
            if stream.readinto(row.data) != row.nbytes:
                raise PathError(f"{path} has been cut short. Delete it and run again.")
    return rows


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
