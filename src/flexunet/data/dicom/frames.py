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
from flexunet.extras import install_command

if TYPE_CHECKING:
    from pydicom import Dataset

# JPEG extended (12 bit), lossless, and lossless with first-order prediction (PS3.5 A.4.1).
_NEED_LIBJPEG = {"1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}

_OFFSET_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
# SOF of JPEG (0xC4, 0xC8 and 0xCC are other segments) and of JPEG-LS.
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def missing_codec(path: Path, dataset: Dataset, error: Exception) -> ImageError:
    """The error of a file that no decoder installed here can decode."""
    syntax = dataset.file_meta.TransferSyntaxUID
    reason, extra = str(error).splitlines()[0].rstrip(".:"), "dicom"
    if syntax in _NEED_LIBJPEG:
        reason, extra = "its decoder is under the GPL and comes on its own", "dicom-gpl"
    return ImageError(
        f"{path} is compressed as {syntax.name} ({syntax}), which cannot be decoded here: {reason}. "
        f"Install it with: {install_command(extra)}, or uncompress the file: gdcmconv --raw IN OUT."
    )


def keep_checked_frame(path: Path, dataset: Dataset) -> None:
    """Leave a decoder nothing but one compressed frame, of the size that the header says.

    A decoder believes the frame: a few bytes that announce another size, or many components, make it take
    all memory. So the frame is looked at first, wherever offset tables and JP2 boxes put it, and the decoder
    gets what was looked at.

    Args:
        path: The file, for messages.
        dataset: The whole of it; its PixelData is replaced.

    Raises:
        ImageError: if the frame is of another size, or tells none.
    """
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

    # RLE has no size of its own; what else is compressed has no decoder.
    known = (*JPEG2000TransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEGTransferSyntaxes)
    if dataset.file_meta.TransferSyntaxUID not in known:
        return
    tables = tuple(dataset.get(name) for name in _OFFSET_TABLES)
    frame = get_frame(
        dataset.PixelData, 0, number_of_frames=1, extended_offsets=tables if all(tables) else None
    )
    frame = _without_boxes(frame)
    size = _frame_size(frame)
    if size != (dataset.Columns, dataset.Rows, 1):
        said = "of no known size" if size is None else f"{size[0]} x {size[1]} of {size[2]} components"
        raise ImageError(
            f"{path} is damaged: the header says {dataset.Columns} x {dataset.Rows} pixels, the compressed "
            f"frame {said}. Export the file again."
        )
    dataset.PixelData = encapsulate([frame], has_bot=False)
    for name in _OFFSET_TABLES:
        if name in dataset:
            delattr(dataset, name)


def is_unsigned_frame(dataset: Dataset) -> bool:
    """Whether this is a JPEG 2000 frame that says its values are unsigned (Ssiz, ISO 15444-1 A.5.1)."""
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEG2000TransferSyntaxes

    if dataset.file_meta.TransferSyntaxUID not in JPEG2000TransferSyntaxes or "PixelData" not in dataset:
        return False
    frame = _without_boxes(get_frame(dataset.PixelData, 0, number_of_frames=1))
    return frame.startswith(b"\xff\x4f\xff\x51") and len(frame) > 42 and not frame[42] & 0x80


def _without_boxes(frame: bytes) -> bytes:
    """The codestream of a JP2 file, which DICOM does not foresee and some write (ISO 15444-1 I.4)."""
    if not frame.startswith(_JP2):
        return frame
    at = 0
    while at + 16 <= len(frame):
        length, kind, long_length = struct.unpack_from(">I4sQ", frame, at)
        head = 8
        if length == 1:
            length, head = long_length, 16
        if kind == b"jp2c":
            return frame[at + head : at + length if length else None]
        if length < head:
            break
        at += length
    return b""


def _frame_size(frame: bytes) -> tuple[int, int, int] | None:
    """Width, height and components that a JPEG 2000, JPEG or JPEG-LS frame gives for itself."""
    if frame.startswith(b"\xff\x4f\xff\x51") and len(frame) >= 42:  # SOC and SIZ, ISO 15444-1 A.5.1
        right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
        (components,) = struct.unpack_from(">H", frame, 40)
        return right - left, bottom - top, components
    at = 2 if frame.startswith(b"\xff\xd8") else len(frame)
    while at + 10 <= len(frame) and frame[at] == 0xFF:  # segments up to the frame header, ISO 10918-1 B.2.2
        marker = frame[at + 1]
        if marker in _FRAME_HEADERS:
            height, width, components = struct.unpack_from(">HHB", frame, at + 5)
            return width, height, components
        # One more 0xFF may stand before any marker.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
