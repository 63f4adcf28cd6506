"""Cut the breast out of a raw film, and put a mask back where it came from.

    breast = find_breast(film)
    box = choose_box(breast, 512, 512)
    image, mask = crop_image(film, box, breast), crop_mask(film_mask, box)
    film_mask_again = box.restore(mask)

A box may reach beyond the film; what lies there is background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from flexunet.data.derive.breast import Breast
from flexunet.data.images.shrink import lesion_positions, shrink_mask
from flexunet.errors import DatasetError, ShapeError

_COLUMNS = (
    "crop_x",
    "crop_y",
    "crop_width",
    "crop_height",
    "mirrored",
    "raw_width",
    "raw_height",
    "image_width",
    "image_height",
)


@dataclass(frozen=True)
class CropBox:
    """Which part of a raw film an image shows; the columns of the manifest under the same names.

    Attributes:
        crop_x: Left edge on the film, pixels; may be negative.
        crop_y: Top edge.
        crop_width: Pixels of the film.
        crop_height: Pixels of the film.
        mirrored: Whether left and right were exchanged after cutting.
        raw_width: Width of the film.
        raw_height: Height of the film.
        image_width: Width of the image made from it.
        image_height: Height of the image made from it.
    """

    crop_x: int
    crop_y: int
    crop_width: int
    crop_height: int
    mirrored: bool
    raw_width: int
    raw_height: int
    image_width: int
    image_height: int

    def columns(self) -> dict[str, int]:
        """The box as columns of the manifest; `mirrored` is 0 or 1."""
        return {name: int(getattr(self, name)) for name in _COLUMNS}

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> CropBox:
        """Read the box from a row of the manifest.

        Raises:
            DatasetError: if the row has no box.
        """
        try:
            values = {name: int(row[name]) for name in _COLUMNS}
        except (KeyError, ValueError) as error:
            raise DatasetError(
                f"the manifest row of {row.get('file', '?')!r} has no crop box (column {error}): expected "
                f"whole numbers in {', '.join(_COLUMNS)}, as `flexunet derive` writes them."
            ) from error
        return cls(**{**values, "mirrored": bool(values["mirrored"])})  # type: ignore[arg-type]

    def cut(self, film: np.ndarray, fill: float = 0) -> np.ndarray:
        """Cut the box out of an array of the film's size, at the film's resolution, not mirrored."""
        if film.shape[:2] != (self.raw_height, self.raw_width):
            raise ShapeError(
                f"expected a film of {self.raw_width} x {self.raw_height} pixels, found {film.shape[1]} x "
                f"{film.shape[0]}."
            )
        part = np.full((self.crop_height, self.crop_width, *film.shape[2:]), fill, film.dtype)
        on_film, on_part = self._overlap()
        part[on_part] = film[on_film]
        return part

    def restore(self, mask: np.ndarray) -> np.ndarray:
        """Put a mask of the image back on the film.

        Args:
            mask: Class indices, uint8 array `(image_height, image_width)`.

        Returns:
            Class indices, uint8 array `(raw_height, raw_width)`, 0 outside the box.

        Raises:
            ShapeError: if the mask has not the image's size.
        """
        if mask.shape != (self.image_height, self.image_width):
            raise ShapeError(
                f"expected a mask of {self.image_width} x {self.image_height} pixels, found {mask.shape}."
            )
        mask = mask[:, ::-1] if self.mirrored else mask
        size = (self.crop_width, self.crop_height)
        part = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST_EXACT)
        film = np.zeros((self.raw_height, self.raw_width), np.uint8)
        on_film, on_part = self._overlap()
        film[on_film] = part[on_part]
        return film

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where box and film overlap: on the film, and on the box."""
        left, top = max(0, self.crop_x), max(0, self.crop_y)
        right = max(left, min(self.raw_width, self.crop_x + self.crop_width))
        bottom = max(top, min(self.raw_height, self.crop_y + self.crop_height))
        return (slice(top, bottom), slice(left, right)), (
            slice(top - self.crop_y, bottom - self.crop_y),
            slice(left - self.crop_x, right - self.crop_x),
        )


def restore_mask(mask: np.ndarray, row: Mapping[str, str]) -> np.ndarray:
    """Put a mask back on the raw film, by the crop box in its row of the manifest (`CropBox.restore`)."""
    return CropBox.from_row(row).restore(mask)


def choose_box(
    breast: Breast, width: int, height: int, *, margin: float = 0.04, mirrored: bool = False
) -> CropBox:
    """Choose the box around the breast, in the proportions of the image wanted.

    What has to be added to reach the proportions is added in front of the nipple, so that the chest wall is
    at the same place in every image, and above and below alike, as far as the film reaches there.

    Args:
        breast: Where the breast is.
        width: Pixels of the image wanted.
        height: Pixels of the image wanted.
        margin: Room around the breast, fraction of the longer side of its bounding box.
        mirrored: Whether the image is to be mirrored.
    """
    left, top, breast_width, breast_height = breast.box
    room = round(margin * max(breast_width, breast_height))
    right, bottom = left + breast_width + room, top + breast_height + room
    left, top = max(0, left - room), max(0, top - room)
    right, bottom = min(breast.width, right), min(breast.height, bottom)
    crop_width = max(right - left, round((bottom - top) * width / height), 1)
    crop_height = max(bottom - top, round(crop_width * height / width), 1)
    x = left if breast.side == "L" else right - crop_width
    y = (top + bottom - crop_height) // 2
    return CropBox(
        x,
        _slide(y, crop_height, breast.height),
        crop_width,
        crop_height,
        mirrored,
        breast.width,
        breast.height,
        width,
        height,
    )


def crop_image(
    film: np.ndarray, box: CropBox, breast: Breast, *, zone: np.ndarray | None = None
) -> np.ndarray:
    """Cut, clear of labels and scanner edges, resize by area and mirror.

    Args:
        film: uint8 or uint16 array `(H, W)` or `(H, W, C)`.
        box: Which part.
        breast: Where the breast is; its `background` fills what is cleared or beyond the film.
        zone: What to keep, as `Breast.zone` gives it; everything when left out.

    Returns:
        Array `(image_height, image_width[, C])` of the film's type.
    """
    fill = np.asarray(round(breast.background)).astype(film.dtype)
    part = box.cut(film, float(fill))
    size = (box.image_width, box.image_height)
    shrinks = box.crop_width >= box.image_width
    resized = cv2.resize(part, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    image = resized.reshape(*resized.shape[:2], *film.shape[2:])
    if zone is not None:
        image[zone_on_image(zone, replace(box, mirrored=False)) == 0] = fill
    return np.ascontiguousarray(image[:, ::-1]) if box.mirrored else image


def zone_on_image(zone: np.ndarray, box: CropBox) -> np.ndarray:
    """What is kept (`Breast.zone`) in pixels of the image: uint8 `(image_height, image_width)`, 0 or 1."""
    across, down = zone.shape[1] / box.raw_width, zone.shape[0] / box.raw_height
    step_x, step_y = box.crop_width / box.image_width, box.crop_height / box.image_height
    to_zone = np.array(
        [
            [step_x * across, 0, (box.crop_x + 0.5 * step_x) * across - 0.5],
            [0, step_y * down, (box.crop_y + 0.5 * step_y) * down - 0.5],
        ]
    )
    size = (box.image_width, box.image_height)
    smooth = cv2.warpAffine(
        zone.astype(np.float32),
        to_zone,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    kept = (smooth >= 0.5).astype(np.uint8)
    return np.ascontiguousarray(kept[:, ::-1]) if box.mirrored else kept


def crop_mask(film_mask: np.ndarray, box: CropBox) -> np.ndarray:
    """Cut a mask of the film's size, resize it and mirror it; no class appears that was not there.

    Each pixel gets the class that covers most of it. A lesion too small to win any pixel keeps one, the one
    under its middle, so that no lesion vanishes.

    Args:
        film_mask: Class indices, uint8 array `(raw_height, raw_width)`.
        box: Which part.

    Returns:
        Class indices, uint8 array `(image_height, image_width)`.
    """
    mask = shrink_mask(box.cut(film_mask), box.image_width, box.image_height)
    return np.ascontiguousarray(mask[:, ::-1]) if box.mirrored else mask


def crop_numbers(numbers: np.ndarray, box: CropBox) -> np.ndarray:
    """Cut numbers of lesions `(raw_height, raw_width)`, resize them to the nearest, and mirror them."""
    size = (box.image_width, box.image_height)
    resized = cv2.resize(box.cut(numbers), size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.ascontiguousarray(resized[:, ::-1]) if box.mirrored else resized


@dataclass(frozen=True)
class LostPixels:
    """Lesion pixels of a film that a crop leaves out.

    Attributes:
        outside: Outside the box.
        cleared: Inside it, but cleared together with labels and air.
        on_tissue: How many of both are as bright as tissue; the rest is black air that an outline took in.
    """

    outside: int
    cleared: int
    on_tissue: int


def lost_lesion_pixels(
    film: np.ndarray, film_mask: np.ndarray, box: CropBox, breast: Breast, zone: np.ndarray
) -> LostPixels:
    """Count the lesion pixels of a film that a crop leaves out.

    Args:
        film: uint8 or uint16 array `(H, W)` or `(H, W, C)`.
        film_mask: Class indices, uint8 array `(H, W)`.
        box: What was cut out.
        breast: Where the breast is.
        zone: What was kept, as `Breast.zone` gives it.
    """
    rows, columns = lesion_positions(film_mask)
    inside = (columns >= box.crop_x) & (columns < box.crop_x + box.crop_width)
    inside &= (rows >= box.crop_y) & (rows < box.crop_y + box.crop_height)
    kept = zone[rows * zone.shape[0] // box.raw_height, columns * zone.shape[1] // box.raw_width] > 0
    lost = ~(inside & kept)
    values = (film if film.ndim == 3 else film[..., None])[rows[lost], columns[lost]].max(axis=1)
    return LostPixels(
        int(np.count_nonzero(~inside)),
        int(np.count_nonzero(inside & ~kept)),
        int(np.count_nonzero(values > breast.threshold)),
    )


def _slide(start: int, length: int, limit: int) -> int:
    """Move an interval into 0..limit if it fits there; else centre it."""
    if length >= limit:
        return (limit - length) // 2 if start < 0 and start + length > limit else start
    return min(max(start, 0), limit - length)
