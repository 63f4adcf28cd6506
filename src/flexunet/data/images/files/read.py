"""Image files to arrays.

An image is `H x W x C`, RGB order, C = 1 or 3 (`.npy`: any number), uint8 or uint16. DICOM has its own wing,
`data.dicom`, which hands over uint16 grey images. Volumes of one slice count as images.
"""

import io
from pathlib import Path

import numpy as np
from PIL import ImageOps

from flexunet.data.dicom.read import is_dicom_file, read_dicom
from flexunet.data.images.files.arrays import is_array_file, open_array
from flexunet.data.images.files.decode import decode_image
from flexunet.data.images.files.names import IMAGE_SUFFIXES, MASK_PICTURES
from flexunet.data.images.files.open import opened, read_content, require_content
from flexunet.data.images.grey_range import grey_levels
from flexunet.data.images.pixels import as_grey, as_rgb
from flexunet.data.volumes.read import is_volume_file, read_plane
from flexunet.errors import ImageError


def read_image(
    path: Path | str, channels: int | None = 3, *, dicom_window: str = "auto", grey_range: str = "full"
) -> np.ndarray:
    """Read an image file as an array.

    Args:
        path: PNG, JPEG, TIFF, BMP, PNM, DICOM or NumPy (`.npy`) file, or NIfTI or MetaImage of one slice.
        channels: 3 repeats grey, 1 takes the luma of colour (ITU-R BT.601, as OpenCV), None keeps what the
            file has; other numbers must be those of the file.
        dicom_window: Window rule of DICOM files, as in `dicom.read_dicom`. `stored` also takes whole
            floating-point values up to 1 as they are, as masks have them.
        grey_range: Which values of other 16-bit files are black and white, as in `grey_range.apply_range`;
            floating-point files need `LOW,HIGH`.

    Returns:
        uint8 or (from 16-bit files) uint16 array `(H, W, channels)`, RGB order.

    Raises:
        ImageError: if the file is missing, empty, truncated, too large, not an image or not 8 or 16 bit, or
            has another number of channels.

    Examples:
        >>> image = flexunet.read_image("film.png", channels=1)
        >>> image.shape, image.dtype
        ((64, 64, 1), dtype('uint8'))
    """
    path = Path(path)
    pixels = _read_pixels(path, dicom_window, grey_range)
    if channels is None or pixels.shape[2] == channels:
        return pixels
    if channels == 3 and pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if channels == 1 and pixels.shape[2] == 3:
        return as_grey(pixels)
    raise ImageError(
        f"{path} has {pixels.shape[2]} channels; expected {channels}. Set [model] image_channels = "
        f"{pixels.shape[2]}, or give images of {channels} channels (.npy holds any number)."
    )


def read_picture(path: Path | str, channels: int = 3, *, grey_range: str = "auto") -> np.ndarray:
    """Read an image to be looked at, `(H, W, 3)` or, as grey, `(H, W, 1)`; see `as_picture`.

    Raises:
        ImageError: as `read_image`.
    """
    image = read_image(path, None, grey_range=grey_range)
    return as_rgb(image) if channels == 3 else as_grey(image)


def read_alpha(path: Path | str) -> np.ndarray | None:
    """Opacity of each pixel, uint8 array `(H, W)`; None for a file without alpha.

    Raises:
        ImageError: as `read_image`.
    """
    path = Path(path)
    if not _is_picture(path):
        return None
    with opened(path, io.BytesIO(read_content(path))) as picture:
        if "transparency" not in picture.info and "a" not in picture.mode.lower():
            return None
        return np.array(ImageOps.exif_transpose(picture).convert("RGBA").getchannel("A"))


def read_palette_indices(path: Path | str) -> np.ndarray | None:
    """The values a palette PNG stores, uint8 array `(H, W)`; None for any other image.

    Raises:
        ImageError: as `read_image`.
    """
    path = Path(path)
    if not _is_picture(path):
        return None
    with opened(path, io.BytesIO(read_content(path))) as picture:
        return np.array(ImageOps.exif_transpose(picture)) if picture.mode == "P" else None


def _read_pixels(path: Path, dicom_window: str, grey_range: str) -> np.ndarray:
    require_content(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path):
        return read_dicom(path, dicom_window).pixels
    stored = dicom_window == "stored"
    if is_array_file(path):
        values = np.array(open_array(path))
    else:
        values = _read_slice(path) if is_volume_file(path) else decode_image(path, read_content(path))
    pixels = grey_levels(path, values, grey_range, stored=stored)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _read_slice(path: Path) -> np.ndarray:
    try:
        return read_plane(path)
    except ImageError as error:
        raise ImageError(
            f"{error} It is a volume by its name; those of one slice are read as images."
        ) from error


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in (*IMAGE_SUFFIXES, *MASK_PICTURES)
