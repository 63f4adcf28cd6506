"""One image and its mask, as the model wants them: resized to it, or large enough to take crops of."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.indices import resize_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.normalise import normalise
from flexunet.data.images.pixels import resize_image


@dataclass(frozen=True)
class PairReader:
    """Size, channels and classes of what is read from a pair.

    Attributes:
        width: Width of the arrays; images are scaled linearly, masks by nearest neighbour.
        height: Height of the arrays.
        channels: 3 or 1.
        masks: How masks are read.
        dicom_window: As in `read_image`.
        grey_range: As in `read_image`.
        normalize: As in `normalise`; it sees the whole image.
    """

    width: int
    height: int
    channels: int
    masks: MaskReader
    dicom_window: str = "auto"
    grey_range: str = "full"
    normalize: str = "none"

    def read(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Image `(height, width, channels)` uint8 or uint16, mask `(height, width)` uint8 class indices.

        Raises:
            ImageError: if the image cannot be used.
            MaskError: if the mask cannot be used, or differs from its image in size.
        """
        image = read_image(
            pair.image_path, self.channels, dicom_window=self.dicom_window, grey_range=self.grey_range
        )
        mask = self.masks.read_like(pair.mask_path, image.shape, pair.image_path)
        return self._fit(normalise(image, self.normalize), mask)

    def _fit(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return resize_image(image, self.width, self.height), resize_mask(mask, self.width, self.height)

    def settings(self) -> dict[str, Any]:
        """What the arrays depend on besides the files, for JSON.

        Names and their order are part of the key of every cache on disk.
        """
        masks = {**vars(self.masks), "color_map": self.masks.color_map.entries}
        del masks["setting"]  # how messages name the map
        if masks["grey_range"] == "full":
            del masks["grey_range"]  # as below; keys from before there was a choice
        if layers := masks.pop("layers", ()):
            masks["layers"] = [vars(layer) for layer in layers]
        if self.masks.color_map.ignore is not None:
            masks["ignore"] = self.masks.color_map.ignore
        settings: dict[str, Any] = {}
        for name, value in vars(self).items():
            if (name, value) in (("grey_range", "full"), ("normalize", "none")):
                continue  # keys from before there was a choice
            settings |= masks if name == "masks" else {name: value}
        return settings


@dataclass(frozen=True)
class CropReader(PairReader):
    """Reads images that crops of `width` x `height` are taken of: at their own size, or all scaled alike.

    What is smaller than a crop is padded on the right and below by its edge pixels, like tiles in prediction.

    Attributes:
        crop_size: Width of a crop in pixels of the file.
    """

    crop_size: int = 0

    def _fit(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.crop_size != self.width:
            height, width = (max(1, round(side * self.width / self.crop_size)) for side in mask.shape)
            image, mask = resize_image(image, width, height), resize_mask(mask, width, height)
        missing = [max(0, self.height - mask.shape[0]), max(0, self.width - mask.shape[1])]
        if any(missing):
            padding = [(0, missing[0]), (0, missing[1])]
            image, mask = np.pad(image, [*padding, (0, 0)], mode="edge"), np.pad(mask, padding, mode="edge")
        return image, mask
