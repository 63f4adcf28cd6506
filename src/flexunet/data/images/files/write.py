"""Arrays to image files."""

import io
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.files.names import ARRAY_SUFFIX, IMAGE_SUFFIXES
from flexunet.errors import ImageError
from flexunet.files import write_bytes


def write_image(path: Path | str, image: np.ndarray, quality: int = 95) -> None:
    """Write an image; the suffix decides the format. The file appears whole or not at all.

    Args:
        path: Where to write: PNG, TIFF, PNM or `.npy` (8 and 16 bit), JPEG or BMP (8 bit).
        image: uint8 or uint16 array `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, RGB order; `.npy` takes any number
            of channels.
        quality: JPEG quality, 0 to 100.

    Raises:
        ImageError: if array and format do not go together.
        PathError: if the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ARRAY_SUFFIX and image.dtype in (np.uint8, np.uint16) and image.ndim == 3 and image.size:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(image), allow_pickle=False)
        write_bytes(path, stream.getvalue())
        return
    if suffix not in IMAGE_SUFFIXES:
        raise ImageError(f"cannot write {path}: the name must end in one of {', '.join(IMAGE_SUFFIXES)}.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)) or image.size == 0:
        raise ImageError(f"cannot write {path}: expected an array H x W x 1 or 3, found shape {image.shape}.")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"cannot write {path}: expected uint8 or uint16 values, found {image.dtype}.")
    if image.dtype == np.uint16 and suffix in (".jpg", ".jpeg", ".bmp"):
        raise ImageError(f"cannot write {path}: {suffix} holds 8 bits per channel. Use .png or .tif.")
    colour = image.ndim == 3 and image.shape[2] == 3
    if suffix in (".pgm", ".ppm"):  # OpenCV goes by the name: pnm takes both grey and colour
        suffix = ".pnm"
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in (".jpg", ".jpeg") else []
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if colour else np.ascontiguousarray(image)
    done, encoded = cv2.imencode(suffix, pixels, options)
    if not done:
        raise ImageError(f"cannot write {path}: the image could not be encoded as {suffix}.")
    write_bytes(path, encoded.tobytes())
