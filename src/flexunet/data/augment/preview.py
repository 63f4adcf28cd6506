"""A picture of every copy that a configuration asks for, to look at before they are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flexunet.data.augment.operations import planned
from flexunet.data.augment.random_transform import random_transform
from flexunet.data.configured import mask_reader
from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.files.read import read_picture
from flexunet.data.images.files.write import write_image
from flexunet.data.images.pixels import to_model_range

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_TILE = 256
_CAPTION = 22
_COLUMNS = 6
_DRAWN_ROWS = 4
_OUTLINE = (255, 210, 0)
_INK = (20, 20, 20)


def write_preview(dataset: Path | str, path: Path | str, config: Config) -> Path:
    """Draw what becomes of the first image of a data set that has something in its mask.

    Every copy; or where `[random_transform]` is on, what training may draw of it.

    Args:
        dataset: As for `augment`; of a split data set, the first split is looked at.
        path: Picture to write.
        config: As for `augment`.

    Returns:
        The path of the image that was taken.
    """
    dataset = Path(dataset)
    plain = (dataset / "images").is_dir() and (dataset / "masks").is_dir()
    if plain:
        pairs = find_pairs(dataset / "images", dataset / "masks")
    else:
        folder = DatasetFolder(dataset)
        pairs = folder.pairs(folder.splits[0])
    masks = mask_reader(config)
    for pair in pairs:
        mask = masks.read(pair.mask_path)
        if mask.any():
            break
    image = read_picture(pair.image_path)
    write_image(path, draw_copies(image, mask, config, pair.stem))
    return pair.image_path


def draw_copies(image: np.ndarray, mask: np.ndarray, config: Config, stem: str) -> np.ndarray:
    """Draw the original and every copy, each with its prefix above it and its mask outlined.

    Where `[random_transform]` is on, what training may draw takes the place of the copies.

    Args:
        image: `(H, W, 3)`.
        mask: Class indices `(H, W)`.
        config: Operations and seed.
        stem: Name of the image, which random fields depend on.

    Returns:
        uint8 array, RGB.
    """
    tiles = [_tile(image, mask, "original")]
    if config.random_transform.enabled:
        tiles += _drawn(image, mask, config)
    else:
        for step in planned(config):
            change = step.seeded(config.train.seed, stem).change(*mask.shape)
            tiles.append(_tile(change.image(image), change.mask(mask), step.prefix.rstrip("_")))
    while len(tiles) % _COLUMNS:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def _drawn(image: np.ndarray, mask: np.ndarray, config: Config) -> list[np.ndarray]:
    """What `[random_transform]` makes of one image, several times."""
    count = _COLUMNS * _DRAWN_ROWS - 1
    images, masks = random_transform(config.random_transform)(
        np.repeat(image[np.newaxis], count, axis=0),
        np.repeat(mask[np.newaxis], count, axis=0),
        np.random.default_rng(config.train.seed),
    )
    return [_tile(*pair, str(1 + number)) for number, pair in enumerate(zip(images, masks, strict=True))]


def _tile(image: np.ndarray, mask: np.ndarray, caption: str) -> np.ndarray:
    height, width = mask.shape
    scale = _TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    eight_bits = to_model_range(image).astype(np.uint8)
    small = cv2.resize(eight_bits, size, interpolation=cv2.INTER_AREA)
    small_mask = cv2.resize((mask > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    contours, _ = cv2.findContours(small_mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, contours, -1, _OUTLINE, 1, cv2.LINE_AA)
    tile = np.full((_TILE + _CAPTION, _TILE + 4, 3), 255, np.uint8)
    tile[_CAPTION : _CAPTION + size[1], 2 : 2 + size[0]] = small
    cv2.putText(tile, caption, (3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return tile
