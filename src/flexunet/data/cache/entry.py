"""An entry of the image cache on disk: writing it, checking it, removing what is out of use."""

import json
import shutil
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from flexunet.data.cache.pair_reader import PairReader
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import InputError, PathError
from flexunet.files import explaining, unfinished
from flexunet.progress import Progress

ENTRY = "entry.json"
# Raise it when the same files and settings come to give other arrays: older entries are made again.
# 2: big-endian pixels, masks in the alpha channel are refused, colours by hue, padding of DICOM files.
VERSION = 2
_KEPT = 3  # entries kept of one image folder, latest used first
_CHECKED = 8  # images whose check sums are compared on opening
LISTED = 10  # unusable files named at once

Arrays = tuple[np.ndarray, np.ndarray]


class Layout(Protocol):
    """How the arrays of an entry lie in its folder."""

    def write(
        self, folder: Path, pairs: Sequence[Pair], reader: PairReader, workers: int, progress: Progress
    ) -> dict[str, Any]:
        """Decode all pairs into a folder; returns what to note: the check sums of each image, and more."""

    def content(self, folder: Path, description: dict[str, Any], count: int) -> Callable[[int], list[Any]]:
        """What gives the arrays of an image, to be compared with its check sums.

        Raises:
            OSError, ValueError, KeyError, TypeError: if the folder does not hold as many images.
        """


def write_entry(
    folder: Path,
    pairs: Sequence[Pair],
    reader: PairReader,
    layout: Layout,
    workers: int,
    progress: Progress,
) -> None:
    """Decode all pairs into a new entry at `folder`.

    Raises:
        ImageError, MaskError: if files cannot be used; up to ten are named.
        PathError: if the entry cannot be written.
    """
    with explaining(folder), unfinished(folder) as partial:
        try:
            partial.mkdir()
            noted = layout.write(partial, pairs, reader, workers, progress)
            about = {"version": VERSION, "images": image_folder(pairs), "settings": reader.settings()}
            entry = about | noted
            (partial / ENTRY).write_text(json.dumps(entry), encoding="utf-8")
            _take_place(partial, folder, layout, len(pairs))
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def is_whole(folder: Path, layout: Layout, count: int) -> bool:
    """Whether an entry can be used: of this version, of the right length, some rows as their sums say."""
    try:
        description = read_description(folder)
        if description.get("version") != VERSION:
            return False
        sums = description["sums"]
        arrays_of = layout.content(folder, description, count)
        if len(sums) != count:
            return False
        checked = np.unique(np.linspace(0, count - 1, _CHECKED).astype(int)).tolist()
        return all(
            [zlib.crc32(part.tobytes()) for part in arrays_of(index)] == sums[index] for index in checked
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return False


def image_folder(pairs: Sequence[Pair]) -> str:
    """Folder of the first image: by this, entries are known to belong to the same data."""
    return str(pairs[0].image_path.parent.absolute())


def remove_stale(root: Path, current: Path) -> None:
    """Remove entries of image folders that are gone; of the folder of `current` keep those used last."""
    label = read_description(current)["images"]
    same: list[tuple[float, Path]] = []
    gone: list[Path] = []
    for path in root.iterdir():
        try:
            found = read_description(path)["images"]
            if not Path(found).is_dir():
                gone.append(path)
            elif found == label and path != current:
                same.append((path.stat().st_mtime, path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    for path in [*gone, *(path for _, path in sorted(same, reverse=True)[_KEPT - 1 :])]:
        shutil.rmtree(path, ignore_errors=True)


def read_description(folder: Path) -> dict[str, Any]:
    """What is noted of an entry."""
    return json.loads((folder / ENTRY).read_text(encoding="utf-8"))


def in_order(pairs: Sequence[Pair], reader: PairReader, workers: int) -> Iterator[Arrays | InputError]:
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


def raise_together(failures: list[InputError]) -> None:
    """Raise one error that names all files that cannot be used, if there are any."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        more = " or more" if len(failures) == LISTED else ""
        lines = "\n  ".join(str(failure) for failure in failures)
        raise type(failures[0])(f"{len(failures)}{more} files cannot be used:\n  {lines}")


def require_space(folder: Path, needed: int) -> None:
    """Refuse to write more bytes than the disk has free.

    Raises:
        PathError: naming both.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PathError(
            f"the image cache in {folder.parent} needs {needed / 1e9:.1f} GB, only {free / 1e9:.1f} GB are "
            "free. Free some space or set [train] cache_dir to a larger disk."
        )


def _take_place(partial: Path, folder: Path, layout: Layout, count: int) -> None:
    """Rename a finished entry to its name, unless another run has finished the same one meanwhile."""
    try:
        partial.replace(folder)
    except OSError:
        if is_whole(folder, layout, count):
            return
        shutil.rmtree(folder, ignore_errors=True)  # damaged: this is why it was made again
        partial.replace(folder)
