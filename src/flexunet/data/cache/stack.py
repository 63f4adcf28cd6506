"""Cache entries of images of one size: all images in one array, all masks in another."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from flexunet.data.cache.entry import LISTED, in_order, raise_together, require_space
from flexunet.data.cache.pair_reader import PairReader
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import InputError
from flexunet.progress import Progress

IMAGES, MASKS = "images.npy", "masks.npy"
Depth = type[np.uint8] | type[np.uint16]


class Deeper(Exception):  # noqa: N818 - a signal, not an error
    """A 16-bit image turned up among 8-bit ones."""


class StackLayout:
    """See the module."""

    def write(
        self, folder: Path, pairs: Sequence[Pair], reader: PairReader, workers: int, progress: Progress
    ) -> dict[str, Any]:
        """Decode all pairs; 8 bits as long as no image has more."""
        try:
            return {"sums": _decode_all(folder, pairs, reader, np.uint8, workers, progress)}
        except Deeper:
            return {"sums": _decode_all(folder, pairs, reader, np.uint16, workers, progress)}

    def content(self, folder: Path, description: dict[str, Any], count: int) -> Callable[[int], list[Any]]:
        """The rows of the two arrays."""
        arrays = [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in (IMAGES, MASKS)]
        if {*map(len, arrays)} != {count}:
            raise ValueError
        return lambda index: [array[index] for array in arrays]


def _decode_all(
    folder: Path,
    pairs: Sequence[Pair],
    reader: PairReader,
    dtype: Depth,
    workers: int,
    progress: Progress,
) -> list[list[int]]:
    """Write the two arrays; returns the check sums of each image and mask."""
    shape = (len(pairs), reader.height, reader.width)
    image_shape = (*shape, reader.channels)
    require_space(folder, int(np.prod(image_shape)) * np.dtype(dtype).itemsize + int(np.prod(shape)))
    with (folder / IMAGES).open("wb") as images, (folder / MASKS).open("wb") as masks:
        _write_header(images, image_shape, dtype)
        _write_header(masks, shape, np.uint8)
        return [sums for sums, _ in stream_pairs((images, masks), dtype, pairs, reader, workers, progress)]


def stream_pairs(
    streams: tuple[IO[bytes], IO[bytes]],
    dtype: Depth,
    pairs: Sequence[Pair],
    reader: PairReader,
    workers: int,
    progress: Progress,
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Append all images to one file and all masks to another; gives the check sums and the mask of each.

    They are written as a stream, in order, by this thread alone: a full disk is then an ordinary error
    (through a memory map it would kill the process), and memory stays at a few images for each worker.

    Raises:
        Deeper: if an image has more bits than `dtype`.
        ImageError, MaskError: at the end, if files cannot be used.
    """
    failures: list[InputError] = []
    for done, result in enumerate(in_order(pairs, reader, workers), start=1):
        if isinstance(result, InputError):
            failures.append(result)
            if len(failures) == LISTED:
                break
        elif not failures:
            content = [with_depth(result[0], dtype).tobytes(), result[1].tobytes()]
            for stream, part in zip(streams, content, strict=True):
                stream.write(part)
            yield [zlib.crc32(part) for part in content], result[1]
        progress("decode", done, len(pairs))
    for stream in streams:
        stream.flush()
        os.fsync(stream.fileno())
    raise_together(failures)


def with_depth(image: np.ndarray, dtype: Depth) -> np.ndarray:
    """An image with the depth that all images of an entry have.

    Raises:
        Deeper: if it has more.
    """
    if image.dtype == dtype:
        return image
    if dtype == np.uint8:
        raise Deeper
    return image.astype(np.uint16) * 257


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: type) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
