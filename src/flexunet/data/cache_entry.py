"""An entry of the image cache on disk: writing it, checking it, removing what is out of use."""

import json
import os
import shutil
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from flexunet.data.files import PARTIAL, explaining
from flexunet.data.pair_reader import PairReader
from flexunet.data.pairs import Pair
from flexunet.errors import InputError, PathError

IMAGES, MASKS, ENTRY = "images.npy", "masks.npy", "entry.json"
_KEPT = 3  # entries kept of one image folder, latest used first
_ABANDONED = 3600  # seconds after which an unfinished entry is taken for one that was cut off
_CHECKED = 8  # images whose check sums are compared on opening
_LISTED = 10  # unusable files named at once

Progress = Callable[[int, int], None]
Arrays = tuple[np.ndarray, np.ndarray]


class _Deeper(Exception):  # noqa: N818 - a signal, not an error
    """A 16-bit image turned up among 8-bit ones."""


def write_entry(
    folder: Path, pairs: Sequence[Pair], reader: PairReader, workers: int, progress: Progress | None
) -> None:
    """Decode all pairs into a new entry at `folder`.

    Raises:
        ImageError, MaskError: if files cannot be used; up to ten are named.
        PathError: if the entry cannot be written.
    """
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}{PARTIAL}"
    with explaining(folder):
        try:
            partial.mkdir()
            try:
                sums = _decode_all(partial, pairs, reader, np.uint8, workers, progress)
            except _Deeper:
                sums = _decode_all(partial, pairs, reader, np.uint16, workers, progress)
            entry = {"images": image_folder(pairs), "settings": reader.settings(), "sums": sums}
            (partial / ENTRY).write_text(json.dumps(entry), encoding="utf-8")
            _take_place(partial, folder, len(pairs))
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def is_whole(folder: Path, count: int) -> bool:
    """Whether an entry can be used: arrays of the right length, some rows as their check sums say."""
    try:
        sums = _read_description(folder)["sums"]
        arrays = [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in (IMAGES, MASKS)]
        if {len(sums), *map(len, arrays)} != {count}:
            return False
        checked = np.unique(np.linspace(0, count - 1, _CHECKED).astype(int)).tolist()
        return all(
            [zlib.crc32(array[index].tobytes()) for array in arrays] == sums[index] for index in checked
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return False


def image_folder(pairs: Sequence[Pair]) -> str:
    """Folder of the first image: by this, entries are known to belong to the same data."""
    return str(pairs[0].image_path.parent.absolute())


def remove_stale(root: Path, current: Path) -> None:
    """Remove entries of image folders that are gone; of the folder of `current` keep those used last."""
    label = _read_description(current)["images"]
    same: list[tuple[float, Path]] = []
    gone: list[Path] = []
    for path in root.iterdir():
        try:
            found = _read_description(path)["images"]
            if not Path(found).is_dir():
                gone.append(path)
            elif found == label and path != current:
                same.append((path.stat().st_mtime, path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    for path in [*gone, *(path for _, path in sorted(same, reverse=True)[_KEPT - 1 :])]:
        shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(root: Path) -> None:
    """Remove what runs that were cut off have left; one still being written has changed lately."""
    for path in root.glob(f".*{PARTIAL}"):
        try:
            latest = max(part.stat().st_mtime for part in (path, *path.iterdir()))
        except OSError:
            continue
        if time.time() - latest > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _read_description(folder: Path) -> dict[str, Any]:
    return json.loads((folder / ENTRY).read_text(encoding="utf-8"))


def _decode_all(
    folder: Path,
    pairs: Sequence[Pair],
    reader: PairReader,
    dtype: type[np.uint8] | type[np.uint16],
    workers: int,
    progress: Progress | None,
) -> list[list[int]]:
    """Write the two arrays; returns the check sums of each image and mask.

    They are written as a stream, in order, by this thread alone: a full disk is then an ordinary error
    (through a memory map it would kill the process), and memory stays at a few images for each worker.
    """
    shape = (len(pairs), reader.height, reader.width)
    image_shape = (*shape, reader.channels)
    _require_space(folder, int(np.prod(image_shape)) * np.dtype(dtype).itemsize + int(np.prod(shape)))
    sums: list[list[int]] = []
    failures: list[InputError] = []
    with (folder / IMAGES).open("wb") as images, (folder / MASKS).open("wb") as masks:
        _write_header(images, image_shape, dtype)
        _write_header(masks, shape, np.uint8)
        for done, result in enumerate(_in_order(pairs, reader, workers), start=1):
            if isinstance(result, InputError):
                failures.append(result)
                if len(failures) == _LISTED:
                    break
            elif not failures:
                content = [_with_depth(result[0], dtype).tobytes(), result[1].tobytes()]
                images.write(content[0])
                masks.write(content[1])
                sums.append([zlib.crc32(part) for part in content])
            if progress:
                progress(done, len(pairs))
        for stream in (images, masks):
            stream.flush()
            os.fsync(stream.fileno())
    _raise_together(failures)
    return sums


def _with_depth(image: np.ndarray, dtype: type[np.uint8] | type[np.uint16]) -> np.ndarray:
    if image.dtype == dtype:
        return image
    if dtype == np.uint8:
        raise _Deeper
    return image.astype(np.uint16) * 257


def _in_order(pairs: Sequence[Pair], reader: PairReader, workers: int) -> Iterator[Arrays | InputError]:
    """Decode in threads, never more than two images for each worker ahead. Decoders release the GIL."""

    def attempt(pair: Pair) -> Arrays | InputError:
        try:
            return reader.read(pair)
        except InputError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        ahead = 2 * workers
        try:
            waiting = deque(pool.submit(attempt, pair) for pair in pairs[:ahead])
            for pair in pairs[ahead:]:
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
        more = " or more" if len(failures) == _LISTED else ""
        lines = "\n  ".join(str(failure) for failure in failures)
        raise type(failures[0])(f"{len(failures)}{more} files cannot be used:\n  {lines}")


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: type) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
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
        if is_whole(folder, count):
            return
        shutil.rmtree(folder, ignore_errors=True)  # damaged: this is why it was made again
        partial.replace(folder)
