"""Compressed DICOM frames: what they say about their size, and which decoder they would need.

The extra `dicom` brings decoders under licences that ask for nothing but their mention: pylibjpeg-openjpeg
(JPEG 2000), pylibjpeg-rle, pyjpegls (JPEG-LS) and Pillow (8-bit JPEG). Lossless and 12-bit JPEG are left to
pylibjpeg-libjpeg, which is under the GPL and has an extra of its own. GDCM would decode them too, but a
damaged file ends the whole program in it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

_INSTALL = "Install it with: pip install 'flexunet[dicom]'"
_INSTALL_GPL = "Install it with: pip install 'flexunet[dicom-gpl]'"
# JPEG extended (12 bit), lossless, and lossless with first-order prediction (PS3.5 A.4.1).
_NEED_LIBJPEG = {"1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}


def missing_codec(path: Path, dataset: Dataset, error: Exception) -> ImageError:
    """The error of a file that no decoder installed here can decode."""
    syntax = dataset.file_meta.TransferSyntaxUID
    reason, remedy = str(error).splitlines()[0].rstrip(".:"), _INSTALL
    if syntax in _NEED_LIBJPEG:
        reason, remedy = "its decoder is under the GPL and comes on its own", _INSTALL_GPL
    return ImageError(
        f"{path} is compressed as {syntax.name} ({syntax}), which cannot be decoded here: {reason}. "
        f"{remedy}, or uncompress the file: gdcmconv --raw IN OUT."
    )


def refuse_hidden_size(path: Path, dataset: Dataset) -> None:
    """Refuse a compressed frame of another size than the header says: it would be unpacked before noticed.

    Raises:
        ImageError: says both sizes.
    """
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    size = _frame_size(bytes(dataset.PixelData[:4096]))
    if size and size != (dataset.Columns, dataset.Rows):
        raise ImageError(
            f"{path} is damaged: the header says {dataset.Columns} x {dataset.Rows} pixels, the compressed "
            f"frame {size[0]} x {size[1]}. Export the file again."
        )


def _frame_size(start: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG 2000, JPEG or JPEG-LS frame gives for itself, if it is one of these."""
    at = start.find(b"\xff\x4f\xff\x51")  # SOC and SIZ, ISO 15444-1 A.5.1
    if at >= 0 and len(start) >= at + 24:
        right, bottom, left, top = struct.unpack(">IIII", start[at + 8 : at + 24])
        return right - left, bottom - top
    at = start.find(b"\xff\xd8\xff")
    while at >= 0 and at + 11 <= len(start):  # segments up to the frame header, ISO 10918-1 B.2.2
        marker = start[at + 1]
        if marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xF7):
            height, width = struct.unpack(">HH", start[at + 5 : at + 9])
            return width, height
        at += 2 if marker == 0xD8 else 2 + int.from_bytes(start[at + 2 : at + 4], "big")
    return None
