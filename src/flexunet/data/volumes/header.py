"""What a NIfTI or MetaImage header says, before SimpleITK is trusted with the file.

ITK puts 1 mm for a spacing that is no number, fills what a truncated NIfTI file lacks with nothing said, and
takes the pixels of a MetaImage header from any file that the header names. So the header is read here first.

Source: NIfTI-1 (nifti.nimh.nih.gov/nifti-1); MetaImage as ITK documents it.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from flexunet.errors import ImageError
from flexunet.files import impostor

METAIMAGE_SUFFIXES = (".mha", ".mhd")
_CHUNK = 1 << 20
_STEEPEST = 1e30  # voxels of 32 bits go beyond what float32 holds from about here
_HEADER_TEXT = 65_536  # bytes in which a MetaImage header must end


@dataclass(frozen=True)
class VolumeHeader:
    """The part of a header that must be right for the rest to be read.

    Attributes:
        spacing: As written, in mm.
        stored_bytes: Bytes that the whole file has at least once unpacked; 0 where ITK checks that itself.
        parts: The files that make the volume.
        idle_intercept: What ITK adds to the voxels though the slope says that there is no scaling.
    """

    spacing: tuple[float, ...]
    stored_bytes: int
    parts: tuple[Path, ...]
    idle_intercept: float = 0.0


def read_volume_header(path: Path) -> VolumeHeader:
    """Header of a volume file, by its suffix.

    Raises:
        ImageError: if it is no header of this kind, or leads to files elsewhere.
    """
    if what := impostor(path):
        raise ImageError(f"{path} is no volume: {what}.")
    try:
        if path.suffix.lower() in METAIMAGE_SUFFIXES:
            return _meta(path)
        return _nifti(path)
    except (OSError, EOFError, zlib.error) as error:
        raise ImageError(
            f"{path} is truncated or damaged ({error}). Copy or export the file again."
        ) from error


def require_whole(path: Path, header: VolumeHeader) -> None:
    """Refuse a NIfTI file that ends before its voxels do; a packed one is unpacked once, a bit at a time.

    Raises:
        ImageError: if it is truncated.
    """
    found = path.stat().st_size
    if path.suffix.lower() == ".gz":
        found = 0
        try:
            with gzip.open(path) as stream:
                while found < header.stored_bytes and (chunk := stream.read(_CHUNK)):
                    found += len(chunk)
                if found >= header.stored_bytes:
                    stream.read(_CHUNK)  # the end of the stream holds its check sum
        except (OSError, EOFError, zlib.error) as error:
            raise _truncated(path, str(error)) from error
    if found < header.stored_bytes:
        raise _truncated(path, f"{found:,} bytes of {header.stored_bytes:,}")


def _truncated(path: Path, what: str) -> ImageError:
    return ImageError(f"{path} is truncated or damaged ({what}). Copy or export the file again.")


def _nifti(path: Path) -> VolumeHeader:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
        head = stream.read(348).ljust(4, b"\0")
    order = next((order for order in "<>" if struct.unpack_from(order + "i", head)[0] in (348, 540)), "")
    if order and struct.unpack_from(order + "i", head)[0] == 540:
        raise ImageError(f"{path} is NIfTI-2, which is not read. Save it as NIfTI-1.")
    if not order or len(head) < 348:
        raise ImageError(f"{path} is no NIfTI file. Export it again, or take it out of the folder.")
    dimensions = struct.unpack_from(order + "8h", head, 40)
    bits = struct.unpack_from(order + "h", head, 72)[0]
    spacing = struct.unpack_from(order + "8f", head, 76)
    offset = struct.unpack_from(order + "f", head, 108)[0]
    count = dimensions[0] if 1 <= dimensions[0] <= 7 else 0
    sizes = dimensions[1 : count + 1]
    if not count or min(sizes) < 1 or bits < 1 or not 0 <= offset < 1 << 40:
        raise ImageError(
            f"{path} has a damaged NIfTI header: {dimensions} voxels of {bits} bits. Export it again."
        )
    stored = int(offset) + math.prod(sizes) * bits // 8
    slope, intercept = struct.unpack_from(order + "2f", head, 112)
    # A slope of 0 means no scaling, and so is what writers mean by one that is no number.
    if slope == 0 or math.isnan(slope):
        idle = intercept if math.isfinite(intercept) else 0.0
        return VolumeHeader(spacing[1 : min(count, 3) + 1], stored, (path,), idle)
    if math.isinf(slope) or math.isinf(intercept) or abs(slope) > _STEEPEST or abs(intercept) > _STEEPEST:
        raise ImageError(
            f"{path} has scl_slope {slope:g} and scl_inter {intercept:g}: expected finite numbers. Correct "
            "the header, or export the volume again."
        )
    return VolumeHeader(spacing[1 : min(count, 3) + 1], stored, (path,))


def _meta(path: Path) -> VolumeHeader:
    with path.open("rb") as stream:
        head = stream.read(_HEADER_TEXT)
    fields: dict[str, str] = {}
    for line in head.split(b"\n"):
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals or ":" in name:  # ITK takes a colon for an equals sign: what it reads is not this
            break
        fields[name.strip().casefold()] = value.strip()
        if name.strip().casefold() == "elementdatafile":
            break
    if "elementdatafile" not in fields:
        raise ImageError(f"{path} is no MetaImage file. Export it again, or take it out of the folder.")
    try:
        spacing = fields.get("elementspacing") or fields.get("elementsize") or "1"
        values = tuple(float(value) for value in spacing.split())
    except ValueError:
        values = (math.nan,)
    voxels = fields["elementdatafile"]
    if voxels.casefold() == "local":
        return VolumeHeader(values, 0, (path,))
    if Path(voxels).name != voxels or set(voxels) & set("/\\:%") or voxels.casefold().startswith("list"):
        raise ImageError(
            f"{path} takes its voxels from {voxels!r}; expected one file beside it. Save it as .mha."
        )
    if not (path.parent / voxels).is_file():
        raise ImageError(f"{path} takes its voxels from {voxels!r}, which is missing. Copy it there too.")
    return VolumeHeader(values, 0, (path, path.parent / voxels))
