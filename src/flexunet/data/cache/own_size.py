"""Images and masks at their own sizes, memory-mapped, to take crops of.

    <cache_dir>/<key>/images.bin    all images, one after the other, uint8 or uint16, C order
                      masks.bin     all masks, uint8 class indices
                      lesions.npy   int32 rows: image, lesion, row, column; up to 64 pixels of each lesion
                      entry.json    shapes, depth, what it was made from, and check sums

Only the pages that a crop lies on are read, and none stays mapped: memory does not grow with the data set.
"""

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.cache.entry import read_description, require_space
from flexunet.data.cache.pair_reader import CropReader, PairReader
from flexunet.data.cache.stack import Deeper, Depth, stream_pairs
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.files.header import image_size
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.regions import find_regions
from flexunet.data.images.shrink import lesion_positions
from flexunet.errors import InputError, PathError
from flexunet.progress import Progress

IMAGES, MASKS, LESIONS = "images.bin", "masks.bin", "lesions.npy"
_POINTS = 64  # pixels kept of a lesion
_SPECK = 10  # regions of fewer pixels are often crumbs of antialiased edges


class OwnSizeCache:
    """Decoded images and masks on disk, each of its own size.

    Attributes:
        folder: Folder of the entry.
        pairs: Where each image and mask came from.
        shapes: Height and width of each, int64 array `(N, 2)`.
        lesions: Pixels of lesions as rows of image, lesion, row and column, int32 `(M, 4)`; memory-mapped.
        holds_lesion: Of each image, whether there is a lesion in it; bool `(N,)`.
    """

    def __init__(self, folder: Path, pairs: Sequence[Pair]):
        description = read_description(folder)
        self.folder = folder
        self.pairs = list(pairs)
        self.shapes = np.array(description["shapes"], np.int64).reshape(-1, 2)
        self.channels = int(description["channels"])
        self.dtype = np.dtype(description["dtype"])
        self.lesions: np.memmap = np.load(folder / LESIONS, mmap_mode="r", allow_pickle=False)
        self._rows = np.searchsorted(self.lesions[:, 0], np.arange(len(self.pairs) + 1))
        self.holds_lesion = np.diff(self._rows) > 0
        self._starts = np.concatenate([[0], np.cumsum(self.shapes.prod(axis=1))])
        # Kept open: another run may remove the entry.
        self._images = (folder / IMAGES).open("rb")
        self._masks = (folder / MASKS).open("rb")
        for stream in (self._images, self._masks):
            weakref.finalize(self, stream.close)

    def __len__(self) -> int:
        return len(self.pairs)

    def arrays(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image `(H, W, C)` and mask `(H, W)`, mapped: copy what you want of them and let go.

        Raises:
            PathError: if the files have been cut short meanwhile.
        """
        shape, start = self.shapes[index].tolist(), int(self._starts[index])
        offset = start * self.channels * self.dtype.itemsize
        try:
            image = np.memmap(
                self._images, self.dtype, mode="r", offset=offset, shape=(*shape, self.channels)
            )
            return image, np.memmap(self._masks, np.uint8, mode="r", offset=start, shape=tuple(shape))
        except ValueError as error:
            raise PathError(f"{self.folder} has been cut short. Delete it and run again.") from error

    def lesion_pixels(self, index: int) -> np.ndarray:
        """Rows of `lesions` of one image, without its number: lesion, row, column."""
        return np.asarray(self.lesions[self._rows[index] : self._rows[index + 1], 1:])


class OwnSizeLayout:
    """How these entries are written."""

    def write(
        self, folder: Path, pairs: Sequence[Pair], reader: PairReader, workers: int, progress: Progress
    ) -> dict[str, Any]:
        """Decode all pairs; 8 bits as long as no image has more."""
        try:
            return _write_all(folder, np.uint8, pairs, reader, workers, progress)
        except Deeper:
            return _write_all(folder, np.uint16, pairs, reader, workers, progress)

    def content(self, folder: Path, description: dict[str, Any], count: int) -> Callable[[int], list[Any]]:
        """Image and mask by their place."""
        shapes = np.array(description["shapes"], np.int64).reshape(-1, 2)
        pixels = int(shapes.prod(axis=1).sum())
        size = np.dtype(description["dtype"]).itemsize * description["channels"] * pixels
        found = [(folder / name).stat().st_size for name in (IMAGES, MASKS)]
        if [len(shapes), *found] != [count, size, pixels]:
            raise ValueError
        cache = OwnSizeCache(folder, [None] * count)  # type: ignore[list-item]  # no file is asked for
        return lambda index: list(cache.arrays(index))


def _write_all(
    folder: Path,
    dtype: Depth,
    pairs: Sequence[Pair],
    reader: PairReader,
    workers: int,
    progress: Progress,
) -> dict[str, Any]:
    require_space(folder, _pixels(pairs, reader) * (np.dtype(dtype).itemsize * reader.channels + 1))
    sums, shapes, lesions = [], [], [np.empty((0, 4), np.int32)]
    with (folder / IMAGES).open("wb") as images, (folder / MASKS).open("wb") as masks:
        written = stream_pairs((images, masks), dtype, pairs, reader, workers, progress)
        for index, (checks, mask) in enumerate(written):
            sums.append(checks)
            shapes.append(mask.shape)
            points = lesion_points(mask)
            lesions.append(np.insert(points, 0, index, axis=1))
    with (folder / LESIONS).open("wb") as stream:
        np.save(stream, np.concatenate(lesions), allow_pickle=False)
    return {"sums": sums, "shapes": shapes, "channels": reader.channels, "dtype": np.dtype(dtype).str}


def _pixels(pairs: Sequence[Pair], reader: PairReader) -> int:
    """Pixels of all images as they will be kept, told from their headers."""
    scale = reader.width / reader.crop_size if isinstance(reader, CropReader) else 1.0
    pixels = 0.0
    for pair in pairs:
        try:
            width, height = image_size(pair.image_path)
        except InputError:
            continue  # named with all others when they are decoded
        pixels += width * height * scale**2
    return int(pixels)


def lesion_points(mask: np.ndarray) -> np.ndarray:
    """Some pixels of each lesion, evenly spread over it.

    A lesion is a connected region (8 neighbours) of one class. Regions of fewer than 10 pixels count only
    where there are no larger ones.

    Args:
        mask: Class indices, uint8 `(H, W)`.

    Returns:
        int32 rows of lesion (counted from 0), row and column; up to 64 of each lesion, in the lesions' order.
    """
    mask, _ = without_ignored(mask)
    if not mask.any():
        return np.empty((0, 3), np.int32)
    rows, columns = lesion_positions(mask)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    label = np.zeros(len(rows), np.int64)
    inside = rows - box[0].start, columns - box[1].start
    values = mask[rows, columns]
    for value in np.unique(values):
        here = values == value
        label[here] = find_regions(mask[box] == value).labels[inside][here] + label.max()
    sizes = np.bincount(label)
    large = sizes >= min(_SPECK, sizes.max())
    kept = np.flatnonzero(large[label])
    kept = kept[np.argsort(label[kept], kind="stable")]
    lesion = np.unique(label[kept], return_inverse=True)[1]
    size = np.bincount(lesion)
    rank = np.arange(len(kept)) - np.concatenate([[0], np.cumsum(size)])[lesion]
    # Every n-th pixel: those at which the share of pixels seen passes the next 64th.
    points = np.minimum(size, _POINTS)[lesion]
    chosen = (rank * points) // size[lesion] != ((rank - 1) * points) // size[lesion]
    return np.stack([lesion, rows[kept], columns[kept]], axis=1)[chosen].astype(np.int32)
