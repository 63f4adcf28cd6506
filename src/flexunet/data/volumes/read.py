"""Volumes of NIfTI and MetaImage files to arrays, and label volumes back, at the same place in space.

Plain arrays (`.npy`, `.h5`) are volumes too, of which nobody knows how large a voxel is.

    volume = read_volume("case.nii.gz")
    volume.voxels                            # x, y, z as the file has its axes
    volume.spacing                           # mm, x, y, z
    read_plane("film.nii.gz")                # rows x columns of a file of one slice
    write_labels("labels.nii.gz", labels, volume)

SimpleITK reads and writes; it comes with the extra `volumes` and is imported when the first volume is met.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.volumes.arrays import array_size, is_array_file, read_array, write_array
from flexunet.data.volumes.header import METAIMAGE_SUFFIXES, VolumeHeader, read_volume_header, require_whole
from flexunet.errors import ImageError, PathError
from flexunet.extras import import_extra
from flexunet.files import NOWHERE, leads_nowhere, replacing

VOLUME_SUFFIXES = (".nii", ".nii.gz", *METAIMAGE_SUFFIXES)
MAX_VOXELS = 1 << 30  # four thousand slices of 512 x 512: more is a header that lies, or asks for too much
_PACKING = 1100  # how many times smaller deflate can make a file at most, rounded up
_MIN_SIDE = 8


@dataclass(frozen=True)
class Volume:
    """A volume.

    Attributes:
        path: Its file.
        voxels: Array `(X, Y, Z)`, axes as in the file; rescaled where the header says so.
        spacing: Size of a voxel in mm, x, y, z; None where the file does not tell (arrays).
        origin: Place of the first voxel in mm, as SimpleITK tells it.
        direction: Directions of the axes, row by row, nine numbers.
    """

    path: Path
    voxels: np.ndarray
    spacing: tuple[float, float, float] | None
    origin: tuple[float, ...]
    direction: tuple[float, ...]


def is_volume_file(path: Path) -> bool:
    """Whether this is a volume, by its suffix in any case; not hidden."""
    if path.name.startswith(".") or not path.name.lower().endswith(VOLUME_SUFFIXES):
        return False
    return path.is_file() or leads_nowhere(path)  # a link that leads nowhere is named when it is read


def is_volume_input(path: Path) -> bool:
    """Whether this may be predicted as a volume: a volume, or an array (`.npy`, `.h5`); not hidden."""
    if path.name.startswith(".") or not is_array_file(path):
        return is_volume_file(path)
    return path.is_file() or leads_nowhere(path)


def volume_stem(path: Path) -> str:
    """Name of a volume without its suffix."""
    suffix = next(
        (suffix for suffix in VOLUME_SUFFIXES[1:] if path.name.lower().endswith(suffix)), path.suffix
    )
    return path.name[: len(path.name) - len(suffix)]


def label_suffix(path: Path) -> str:
    """Suffix of a volume's labels: that of the volume; .mha for an .mhd, and .npy for an array."""
    if is_array_file(path):
        return ".npy"
    if path.name.lower().endswith(".nii.gz"):
        return ".nii.gz"
    return ".nii" if path.suffix.lower() == ".nii" else ".mha"


def parts_of_volume(path: Path) -> tuple[Path, ...]:
    """The files that make a volume: one, or header and voxels.

    Raises:
        ImageError: as `volume_size`.
    """
    return (path,) if is_array_file(path) else _header(path).parts


def volume_size(path: Path) -> tuple[int, int, int]:
    """Voxels along x, y and z, from the header alone.

    Raises:
        ImageError: if the file is missing, empty or no volume of one number a voxel, is too large, or has a
            spacing that is not positive; or SimpleITK is missing.
    """
    if is_array_file(path):
        return array_size(path, MAX_VOXELS)
    size = _opened(path, _header(path)).GetSize()
    return size[0], size[1], size[2]


def plane_size(path: Path) -> tuple[int, int]:
    """Width and height of a file of one slice, from the header alone.

    Raises:
        ImageError: as `volume_size`, and if it has several slices.
    """
    size = _opened(path, _header(path), planar=True).GetSize()
    return size[0], size[1]


def read_plane(path: Path) -> np.ndarray:
    """Values of a file of one slice, such as a film in NIfTI, `(rows, columns)`.

    Raises:
        ImageError: as `read_volume`, and if it has several slices.
    """
    voxels = _read(path, planar=True).voxels
    return np.ascontiguousarray(voxels.reshape(voxels.shape[:2]).T)


def read_volume(path: Path) -> Volume:
    """Read a volume.

    Raises:
        ImageError: as `volume_size`, and if the file is truncated.
    """
    if is_array_file(path):
        return Volume(path, read_array(path, MAX_VOXELS), None, (), ())
    return _read(path)


def _read(path: Path, planar: bool = False) -> Volume:
    header = _header(path)
    reader = _opened(path, header, planar)
    if header.stored_bytes:
        require_whole(path, header)
    sitk = _simpleitk(path)
    try:
        image = reader.Execute()
        # SimpleITK counts z, y, x. Its array is a copy, since a view does not keep the image alive.
        voxels = sitk.GetArrayFromImage(image).T
        if header.idle_intercept:
            voxels = voxels - voxels.dtype.type(header.idle_intercept)
        return Volume(path, voxels, image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise ImageError(f"{path} does not fit into memory. Use a machine with more.") from error


def write_labels(path: Path, labels: np.ndarray, volume: Volume) -> None:
    """Write a label volume with the spacing, origin and direction of the volume it belongs to.

    Args:
        path: Where to write; the suffix decides the format. The file appears whole or not at all.
        labels: Class indices, uint8 `(X, Y, Z)`.
        volume: The volume.

    Raises:
        PathError: if the file cannot be written.
    """
    if volume.spacing is None:
        write_array(path, labels)
        return
    sitk = _simpleitk(path)
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.T))
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    with replacing(path) as temporary:
        # The format goes by the name, and the temporary one has the last suffix alone.
        whole = temporary.with_name(f"{temporary.stem}{label_suffix(path)}")
        try:
            sitk.WriteImage(image, str(whole), useCompression=path.suffix.lower() != ".nii")
            whole.replace(temporary)
        except RuntimeError as error:
            whole.unlink(missing_ok=True)
            raise PathError(f"cannot write {path}: {_reason(error)}. Is the disk full?") from error


def _header(path: Path) -> VolumeHeader:
    if not path.is_file():
        what = "is a folder, not a volume." if path.is_dir() else "does not exist."
        raise ImageError(f"{path} {NOWHERE if leads_nowhere(path) else what}")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes). Copy or export the file again.")
    header = read_volume_header(path)
    if not all(math.isfinite(value) and value > 0 for value in header.spacing):
        raise ImageError(
            f"{path} has a spacing of {' x '.join(f'{value:g}' for value in header.spacing)} mm; expected "
            "positive numbers. Correct the header."
        )
    return header


def _opened(path: Path, header: VolumeHeader, planar: bool = False) -> Any:
    """A reader that has looked at the header and found one number a voxel, three axes and a fair size.

    With `planar` it found one slice, of two axes or of three.
    """
    sitk = _simpleitk(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO" if label_suffix(path) == ".mha" else "NiftiImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    size = reader.GetSize()
    if planar and (len(size) < 2 or math.prod(size[2:]) > 1):
        raise ImageError(
            f"{path} has {' x '.join(map(str, size))} voxels; expected one slice. Predict volumes with "
            "flexunet infer3d."
        )
    if len(size) != 3 and not planar:
        remedy = "Predict it as an image: flexunet infer" if len(size) < 3 else "Save one volume a file"
        raise ImageError(
            f"{path} has {len(size)} axes ({' x '.join(map(str, size))}); expected three. {remedy}."
        )
    pixel = reader.GetPixelID()
    if reader.GetNumberOfComponents() != 1 or pixel in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise ImageError(
            f"{path} has more than one number a voxel (colour, vectors or complex numbers); expected one. "
            "Save the channel wanted as a volume of its own."
        )
    voxels = math.prod(size)
    stored = sum(part.stat().st_size for part in header.parts)
    if voxels > MAX_VOXELS or voxels > _PACKING * stored:
        raise ImageError(
            f"{path} is too large: {' x '.join(map(str, size))} voxels in a file of {stored:,} bytes; "
            f"at most {MAX_VOXELS:,} are read. Crop or resample it, or export it again."
        )
    if min(sorted(size)[1:]) < _MIN_SIDE:
        raise ImageError(
            f"{path} has {' x '.join(map(str, size))} voxels; expected slices of at least {_MIN_SIDE} x "
            f"{_MIN_SIDE}. Take it out of the folder."
        )
    return reader


def _unreadable(path: Path, error: RuntimeError) -> ImageError:
    if "orthonormal" in str(error):
        return ImageError(f"{path} has axes that are not at right angles. Resample it onto a straight grid.")
    return ImageError(f"{path} is no readable volume, or damaged ({_reason(error)}). Export it again.")


def _reason(error: RuntimeError) -> str:
    """What ITK says, without where in its sources it says it."""
    text = " ".join(str(error).split()).rpartition("ERROR: ")[2]
    return re.sub(r"^\w+\(0x[0-9a-f]+\): ", "", text)[:200]


def _simpleitk(path: Path) -> Any:
    sitk = import_extra(
        "SimpleITK", extra="volumes", needed_by=f"{path} is a volume, and reading it", error=ImageError
    )
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what matters of it is said as an error
    return sitk
