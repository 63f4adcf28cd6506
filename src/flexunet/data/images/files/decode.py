"""The one place where PNG, JPEG, TIFF, BMP and PNM files are decoded, and the pictures that are masks alone.

Alpha is dropped, palettes are resolved, one-bit images become 0 and 255. An orientation tag (EXIF) is
applied, to masks as well as to images, so that both are seen as every viewer shows them. Pillow decodes,
because it refuses truncated files where OpenCV returns half an image; OpenCV takes over for 16-bit colour,
which Pillow cuts to 8 bits.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from flexunet.data.images.files.open import UINT16_MAX, is_deep, opened, orientation_tag, white_is_zero
from flexunet.errors import ImageError


def decode_image(path: Path, content: bytes) -> np.ndarray:
    """Pixels of the content of an image file other than DICOM, `(H, W)` or `(H, W, C)`.

    They are uint8 or uint16, and float32 where a TIFF file has such values.

    Args:
        path: What messages call it.
        content: The bytes.

    Raises:
        ImageError: as `read_image`.
    """
    with opened(path, io.BytesIO(content)) as picture:
        pages = getattr(picture, "n_frames", 1)
        if picture.format in ("TIFF", "GIF", "WEBP") and pages > 1:
            raise ImageError(
                f"{path} holds {pages} pages; expected one image per file. Save each page as a file."
            )
        orientation = orientation_tag(picture)
        deep_colour = is_deep(picture, content) and not picture.mode.startswith("I")
        inverted = white_is_zero(picture)
        picture.load()  # in any case: this is what finds a truncated file
        if not deep_colour:
            return _pixels(path, ImageOps.exif_transpose(picture), inverted)
        pixels = _decode_deep(path, content, grey=_is_grey(picture, content))
        # OpenCV turns TIFF by itself, PNG it does not.
        return _turn(pixels, orientation if picture.format == "PNG" else 1)


def _is_grey(picture: Image.Image, content: bytes) -> bool:
    """Whether there is one channel besides alpha; Pillow calls 16-bit grey with alpha colour."""
    if picture.format == "PNG":
        return content[25] in (0, 4)  # colour type in the IHDR chunk
    return picture.mode in ("L", "LA")


def _decode_deep(path: Path, content: bytes, grey: bool) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError(
            f"{path} has 16-bit colour that is damaged or of an unusual kind. Save it as plain PNG."
        )
    if pixels.ndim == 2:
        return pixels
    return pixels[..., 0] if grey else pixels[..., 2::-1]


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an orientation tag (1 to 8; Exif 2.32, section 4.6.4 A) to an array."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pixels(path: Path, picture: Image.Image, inverted: bool) -> np.ndarray:
    if picture.mode in ("L", "RGB"):
        return np.array(picture)
    if picture.mode in ("1", "LA", "La"):
        return np.array(picture.convert("L"))
    if picture.mode.startswith("I"):
        values = np.array(picture)
        if values.size and (values.min() < 0 or values.max() > UINT16_MAX):
            raise ImageError(
                f"{path} has values from {values.min()} to {values.max()}; expected 8 or 16 bit, 0 to 65535."
            )
        values = values.astype(np.uint16)
        return UINT16_MAX - values if inverted else values
    if picture.mode == "F":
        values = np.array(picture)
        if inverted:
            raise ImageError(
                f"{path} has floating-point values of which 0 is white, which is not read. Save it again."
            )
        return values
    if picture.mode == "RGBA":
        return np.ascontiguousarray(np.asarray(picture)[..., :3])
    return np.array(picture.convert("RGB"))
