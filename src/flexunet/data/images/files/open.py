"""Opening image files: whether there is anything to read, and what their header says."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cv2
from PIL import ExifTags, Image

from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.names import MASK_PICTURES
from flexunet.errors import ImageError
from flexunet.files import NOWHERE, cannot_read, impostor, leads_nowhere

UINT16_MAX = 65535
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM")
# What Pillow and OpenCV raise on damaged files; a warning only where Python was told to make errors of them.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    ArithmeticError,
    UserWarning,
    struct.error,
    cv2.error,
)


@contextmanager
def opened(path: Path, stream: IO[bytes] | None = None) -> Iterator[Image.Image]:
    """The picture of an image file other than DICOM, its header read and its pixels not yet.

    Args:
        path: The file; what messages call it.
        stream: Its content, where that is at hand.

    Raises:
        ImageError: if it is no picture, is too large, or turns out damaged by the end of the `with` block.
    """
    try:
        with stream or path.open("rb") as content, _picture(path, content) as picture:
            yield picture
    except _DECODER_ERRORS as error:
        raise ImageError(
            f"{path} is truncated or damaged ({error}). Copy or export the file again."
        ) from error


def require_content(path: Path) -> None:
    """Raise ImageError if there is no file, or nothing in it."""
    if not path.is_file():
        if leads_nowhere(path):
            raise ImageError(f"{path} {NOWHERE}")
        what = "is a folder, not an image file" if path.is_dir() else "does not exist"
        raise ImageError(f"{path} {what}.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes). Copy or export the file again.")


def read_content(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ImageError: if there is no file, nothing in it, or no right to read it.
    """
    require_content(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(cannot_read(path, error)) from error


def orientation_tag(picture: Image.Image) -> int:
    """The orientation tag of a picture (Exif 2.32, section 4.6.4 A), 1 for none or a meaningless one."""
    told = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return told if told in range(1, 9) else 1


def white_is_zero(picture: Image.Image) -> bool:
    """Whether this is a TIFF whose tag says that 0 is white (WhiteIsZero)."""
    return picture.format == "TIFF" and picture.tag_v2.get(262) == 0  # type: ignore[attr-defined]


def is_deep(picture: Image.Image, content: bytes) -> bool:
    """Whether a file has 16 bits a channel, which Pillow's mode does not tell for colour.

    Args:
        picture: The picture.
        content: The file's bytes; the first 26 are enough.
    """
    if picture.format == "PNG":
        return content[24] == 16  # bit depth in the IHDR chunk, PNG specification 11.2.1
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(258, (1,))) == 16  # type: ignore[attr-defined]  # BitsPerSample
    tiles = getattr(picture, "tile", [])  # PNM: codec, box, offset, (mode, highest value)
    return bool(tiles) and picture.format == "PPM" and tiles[0].args == (picture.mode, UINT16_MAX)


def _picture(path: Path, content: IO[bytes]) -> Image.Image:
    """Header of an image file, refusing what would unpack to more than MAX_PIXELS."""
    try:
        picture = Image.open(content, formats=_formats(path))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} is too large: more than {MAX_PIXELS:,} pixels. Scale it down.") from error
    except Image.UnidentifiedImageError as error:
        if what := impostor(path):
            raise ImageError(f"{path} is not a readable image: {what}.") from error
        raise ImageError(
            f"{path} is not a readable image: expected PNG, JPEG, TIFF, BMP or PNM. Export it again."
        ) from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path} is too large: {width} x {height} is more than {MAX_PIXELS:,} pixels. Scale it down."
        )
    return picture


def _formats(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    return (MASK_PICTURES[suffix],) if suffix in MASK_PICTURES else _FORMATS
