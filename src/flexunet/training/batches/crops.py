"""Windows of images that are larger than the model: random crops, fixed crops, and tiles that cover all.

Source of the share of crops that hold a lesion: Isensee, F. et al. (2021), nnU-Net, Nat Methods 18, 203-211.
"""

from __future__ import annotations

import numpy as np

from flexunet.data.cache.own_size import OwnSizeCache
from flexunet.training.batches.sampling import Draw

Corner = tuple[int, int]


class RandomCrops:
    """Crops of training images, a new one each time.

    Args:
        cache: The images.
        height: Height of a crop; no image of the cache is smaller.
        width: Width of a crop.
    """

    def __init__(self, cache: OwnSizeCache, height: int, width: int):
        self.cache = cache
        self.height = height
        self.width = width

    def __len__(self) -> int:
        return len(self.cache)

    def read_drawn(self, draw: Draw, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A crop of each image drawn: images `(n, height, width, C)` and masks `(n, height, width)`."""
        corners = [
            self._around_lesion(index, generator) if wanted else self._anywhere(index, generator)
            for index, wanted in zip(draw.indices.tolist(), draw.with_lesion.tolist(), strict=True)
        ]
        return read_windows(self.cache, draw.indices.tolist(), corners, self.height, self.width)

    def _anywhere(self, index: int, generator: np.random.Generator) -> Corner:
        height, width = self.cache.shapes[index].tolist()
        return (
            int(generator.integers(height - self.height + 1)),
            int(generator.integers(width - self.width + 1)),
        )

    def _around_lesion(self, index: int, generator: np.random.Generator) -> Corner:
        """A crop with a pixel of a lesion in its middle half, or nearer to an edge where the image ends.

        All lesions of an image are equally likely, large or small.
        """
        pixels = self.cache.lesion_pixels(index)
        of_one = pixels[pixels[:, 0] == generator.integers(pixels[-1, 0] + 1)]
        _, *pixel = of_one[generator.integers(len(of_one))].tolist()
        sides = (self.height, self.width)
        top, left = (
            min(max(0, at - int(generator.integers(side // 4, side - side // 4))), length - side)
            for at, side, length in zip(pixel, sides, self.cache.shapes[index].tolist(), strict=True)
        )
        return top, left


class FixedCrops(RandomCrops):
    """Two crops of each validation image, the same in every epoch: one round a lesion, one anywhere.

    An image without a lesion gives two from anywhere. So the figures of epochs can be compared, and tell of
    missed lesions and of false alarms alike.

    Args:
        cache: The images.
        height: Height of a crop.
        width: Width of a crop.
        seed: Crop n follows from the seed and n alone.
    """

    def __init__(self, cache: OwnSizeCache, height: int, width: int, seed: int):
        super().__init__(cache, height, width)
        self.seed = seed

    def __len__(self) -> int:
        return 2 * len(self.cache)

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some of the crops."""
        images = [int(index) // 2 for index in indices]
        corners = [self._corner(int(number)) for number in indices]
        return read_windows(self.cache, images, corners, self.height, self.width)

    def _corner(self, number: int) -> Corner:
        index, generator = number // 2, np.random.default_rng([self.seed, number])
        if number % 2 == 0 and self.cache.holds_lesion[index]:
            return self._around_lesion(index, generator)
        return self._anywhere(index, generator)


class Tiles:
    """All tiles of all images, image by image, row by row; the last ones overlap their neighbours."""

    def __init__(self, cache: OwnSizeCache, height: int, width: int):
        self.cache = cache
        self.height = height
        self.width = width
        self._counts = -(-cache.shapes // [height, width])
        self._first = np.concatenate([[0], np.cumsum(self._counts.prod(axis=1))])

    def __len__(self) -> int:
        return int(self._first[-1])

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some of the tiles."""
        images = (np.searchsorted(self._first, indices, side="right") - 1).tolist()
        corners = [self._corner(image, int(n)) for image, n in zip(images, indices, strict=True)]
        return read_windows(self.cache, images, corners, self.height, self.width)

    def _corner(self, image: int, number: int) -> Corner:
        height, width = self.cache.shapes[image].tolist()
        row, column = divmod(number - int(self._first[image]), int(self._counts[image, 1]))
        return min(row * self.height, height - self.height), min(column * self.width, width - self.width)


def read_windows(
    cache: OwnSizeCache, images: list[int], corners: list[Corner], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut windows out of images: `(n, height, width, C)` and `(n, height, width)`."""
    pixels = np.empty((len(images), height, width, cache.channels), cache.dtype)
    classes = np.empty((len(images), height, width), np.uint8)
    for place, (index, (top, left)) in enumerate(zip(images, corners, strict=True)):
        image, mask = cache.arrays(index)
        window = slice(top, top + height), slice(left, left + width)
        pixels[place], classes[place] = image[window], mask[window]
    return pixels, classes
