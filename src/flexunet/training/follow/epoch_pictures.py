"""The chosen images and their masks after an epoch, at the size of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flexunet.data.images.overlay import draw_overlay
from flexunet.data.images.pixels import as_rgb, to_model_range
from flexunet.data.images.reader import ImageReader
from flexunet.data.images.shrink import shrink_mask
from flexunet.inference.folder import epoch_mask_path
from flexunet.inference.inputs import mask_names

SIDE = 640  # pixels of the longer side of a picture


def read_epoch_mask(path: Path) -> np.ndarray | None:
    """A mask as it was predicted: class indices, uint8 `(H, W)`; none where the file is missing."""
    if not path.is_file():
        return None
    with Image.open(path) as file:
        return np.array(file)


def page_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture of an image: its longer side is 640 pixels."""
    scale = SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def page_mask(mask: np.ndarray) -> np.ndarray:
    """A mask at that size; no lesion is lost."""
    height, width = page_size(*mask.shape)
    return shrink_mask(mask, width, height)


def page_image(path: Path, reader: ImageReader = ImageReader()) -> np.ndarray:
    """An image at that size, uint8 RGB."""
    image = as_rgb(reader.read(path, None))
    height, width = page_size(*image.shape[:2])
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    resized = cv2.resize(to_model_range(image), (width, height), interpolation=interpolation)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


def overlays(
    images: Sequence[Path], folder: Path, epoch: int, reader: ImageReader = ImageReader()
) -> dict[str, np.ndarray]:
    """The chosen images with the outlines of an epoch's masks, RGB, by their file names.

    Args:
        images: The chosen images.
        folder: Where the masks lie; an image without one is left out.
        epoch: Counted from 1.
        reader: Reads the images.
    """
    drawn = {}
    for path, name in mask_names(images).items():
        mask = read_epoch_mask(epoch_mask_path(folder, epoch, name))
        if mask is not None:
            drawn[Path(name).stem] = draw_overlay(page_image(path, reader), page_mask(mask))
    return drawn
