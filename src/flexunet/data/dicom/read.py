"""DICOM radiographs to arrays: one grey image a file, 16 bits deep, bright is bright.

    picture = read_dicom("case.dcm")            # window "auto": the file's own VOI LUT or window
    picture.pixels                              # uint16, H x W x 1, 0 is black and 65535 is white
    picture.spacing_mm, picture.laterality, picture.view

pydicom reads, pylibjpeg and pyjpegls decode compressed pixels (see `dicom_frames`). They come with the extra
`dicom` and are imported when the first DICOM file is met. Attributes keep the names of the standard.

Source: DICOM PS3.3 2024, C.7.6.3 (Image Pixel), C.11.1 and C.11.2 (Modality LUT, VOI LUT).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.dicom.frames import is_unsigned_frame, keep_checked_frame, missing_codec
from flexunet.data.dicom.header import check_header, laterality_of, spacing_of, view_of
from flexunet.data.dicom.tones import stored_range, tone_table
from flexunet.data.dicom.window import check_window
from flexunet.errors import FlexUNetError, ImageError
from flexunet.extras import import_extra
from flexunet.files import NOWHERE, impostor, leads_nowhere

if TYPE_CHECKING:
    from pydicom import Dataset

DICOM_SUFFIXES = (".dcm", ".dicom", ".dic")
MAX_PIXELS = 89_478_485  # of any image; Pillow warns above it: a small file that unpacks to gigabytes
_RLE = "1.2.840.10008.1.2.5"
_DEFLATED = "1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class DicomFacts:
    """What a header says about its image; text is "" where it says nothing.

    Attributes:
        spacing_mm: Height and width of a pixel in mm, at the object where the magnification is known; None
            where the file does not tell.
        laterality: `L` or `R`.
        view: `CC`, `MLO`, ... as in ViewPosition.
        PatientID: The person.
        SOPInstanceUID: The image.
        Modality: `MG` of a mammogram.
        BodyPartExamined: `BREAST`.
        Manufacturer: Of the machine.
        ManufacturerModelName: The machine.
        sign_doubtful: Whether the header says signed, but the compressed frame holds unsigned values: the
            upper half of them may have been folded to below zero.
        identity_removed: Whether the header says that nothing in it names the person.
    """

    spacing_mm: tuple[float, float] | None
    laterality: str
    view: str
    PatientID: str
    SOPInstanceUID: str
    Modality: str = ""
    BodyPartExamined: str = ""
    sign_doubtful: bool = False
    Manufacturer: str = ""
    ManufacturerModelName: str = ""
    identity_removed: bool = False

    def doubts(self, path: Path) -> list[str]:
        """What speaks against the header, or in it against a mammogram, one sentence each."""
        doubts = []
        if self.sign_doubtful:
            doubts.append(
                f"{path}: PixelRepresentation says signed, the compressed frame says unsigned: look at the "
                "image. If its brightest tissue is black, PixelRepresentation 0 is right."
            )
        if self.Modality and self.Modality != "MG":
            doubts.append(f"{path}: Modality is {self.Modality}, not MG: this may be no mammogram.")
        if self.BodyPartExamined and self.BodyPartExamined.upper() not in ("BREAST", "MAMMA"):
            doubts.append(
                f"{path}: BodyPartExamined is {self.BodyPartExamined}, not BREAST: this may be no mammogram."
            )
        return doubts


@dataclass(frozen=True)
class DicomImage:
    """A radiograph.

    Attributes:
        pixels: Grey levels, uint16 `(H, W, 1)`; bright is bright, whatever PhotometricInterpretation says.
        window: The window rule that made the grey levels.
        facts: What the header says.
    """

    pixels: np.ndarray
    window: str
    facts: DicomFacts

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Height and width of a pixel in mm, see `DicomFacts`."""
        return self.facts.spacing_mm

    @property
    def laterality(self) -> str:
        """`L`, `R` or ""."""
        return self.facts.laterality

    @property
    def view(self) -> str:
        """`CC`, `MLO`, ... or ""."""
        return self.facts.view


def is_dicom_file(path: Path) -> bool:
    """Whether a file is to be read as DICOM: by its suffix, or by the mark `DICM` after 128 bytes.

    A DICOMDIR is an index of files, not an image.
    """
    if path.name.upper() == "DICOMDIR":
        return False
    return path.suffix.lower() in DICOM_SUFFIXES or has_preamble(path)


def has_preamble(path: Path) -> bool:
    """Whether a file begins as PS3.10 files do."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(path: Path | str, window: str = "auto") -> DicomImage:
    """Read a radiograph from a DICOM file.

    Args:
        path: The file.
        window: How stored values become grey levels. `auto`: by the first VOI LUT or window of the file, and
            as `full` if it has none. `full`: all values that the stored bits can hold, from black to white.
            `range`: the values that are present, from black to white. `stored`: stored values as they are,
            neither windowed nor stretched. `CENTRE,WIDTH`: this linear window.

    Returns:
        Image and header facts.

    Raises:
        ImageError: if the file is missing, truncated, compressed in a way that cannot be decoded, or no
            single grey image.
        ConfigError: if there is no such window rule.

    Examples:
        >>> film = flexunet.read_dicom("film.dcm")
        >>> film.pixels.shape, film.pixels.dtype, film.spacing_mm
        ((64, 64, 1), dtype('uint16'), (0.1, 0.1))
    """
    path = Path(path)
    check_window(window)
    with refusing_damage(path):
        dataset = read_header(path)
        check_header(path, dataset, MAX_PIXELS)
        facts = _facts(path, dataset)
        stored, is_coded = _stored_values(path)
        if stored.shape != (dataset.Rows, dataset.Columns):
            raise ImageError(
                f"{path} is damaged: the header says {dataset.Columns} x {dataset.Rows} pixels, the pixel "
                f"data have shape {stored.shape}. Export the file again."
            )
        low, _ = stored_range(dataset)
        if is_coded:  # a decoder gives the values themselves, whatever the place of their bits in a word
            dataset.HighBit = dataset.BitsStored - 1
        stored = _stored_bits(stored, dataset)
        table = tone_table(path, dataset, window, stored)
        pixels = table[stored.astype(np.int32) - low] if low else table[stored]
    return DicomImage(pixels[..., np.newaxis], window, facts)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of a DICOM image, from its header alone.

    Raises:
        ImageError: as `read_dicom`, as far as the header tells.
    """
    with refusing_damage(path):
        dataset = read_header(path)
        check_header(path, dataset, MAX_PIXELS)
        return dataset.Columns, dataset.Rows


def read_facts(path: Path) -> DicomFacts:
    """What the header says about the image, without reading its pixels.

    Raises:
        ImageError: as `read_dicom`, as far as the header tells.
    """
    with refusing_damage(path):
        dataset = read_header(path)
        check_header(path, dataset, MAX_PIXELS)
        return _facts(path, dataset)


def _facts(path: Path, dataset: Dataset) -> DicomFacts:
    return DicomFacts(
        spacing_of(path, dataset),
        laterality_of(dataset),
        view_of(dataset),
        str(dataset.get("PatientID") or ""),
        str(dataset.get("SOPInstanceUID") or ""),
        str(dataset.get("Modality") or ""),
        str(dataset.get("BodyPartExamined") or ""),
        dataset.PixelRepresentation == 1 and is_unsigned_frame(read_dataset(path)),
        str(dataset.get("Manufacturer") or ""),
        str(dataset.get("ManufacturerModelName") or ""),
        str(dataset.get("PatientIdentityRemoved") or "").upper() == "YES",
    )


def read_header(path: Path) -> Dataset:
    """Everything but the pixels of a DICOM file.

    Raises:
        ImageError: if this is no DICOM file, or pydicom is not installed.
    """
    pydicom = _pydicom(path)
    if not path.is_file():
        what = "is a folder, not a DICOM file." if path.is_dir() else "does not exist."
        raise ImageError(f"{path} {NOWHERE if leads_nowhere(path) else what}")
    if not has_preamble(path):
        if replaced := impostor(path):
            raise ImageError(f"{path} is no DICOM file: {replaced}.")
        what = (
            "is empty (0 bytes)" if path.stat().st_size == 0 else "is no DICOM file: it lacks the mark DICM"
        )
        raise ImageError(
            f"{path} {what} at byte 128. Export it again; a DICOM data set without file header is completed "
            "by dcmconv of DCMTK."
        )
    with refusing_damage(path):
        if pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID") == _DEFLATED:
            # Unpacking is not bounded: a small file may fill the memory.
            raise ImageError(f"{path} is stored deflated, which is not read. Convert it: dcmconv +te IN OUT.")
        return pydicom.dcmread(path, stop_before_pixels=True)


def read_dataset(path: Path) -> Dataset:
    """The whole DICOM file, pixels still encoded.

    Raises:
        ImageError: as `read_header`.
    """
    pydicom = _pydicom(path)
    with refusing_damage(path):
        return pydicom.dcmread(path)


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn whatever pydicom and the decoders raise on a damaged file into an ImageError.

    Values of a header are parsed when they are asked for, so any of them may raise then.
    """
    try:
        yield
    except FlexUNetError:
        raise
    except MemoryError as error:
        raise ImageError(f"{path} does not fit into memory. Use a machine with more.") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # of no common class; a decoder in Rust that panics raises no Exception
        raise _damaged(path, error) from error


def _pydicom(path: Path) -> Any:
    needed_by = f"{path} is a DICOM file, and reading it"
    return import_extra("pydicom", "pydicom.filereader", extra="dicom", needed_by=needed_by, error=ImageError)


def _damaged(path: Path, error: BaseException) -> ImageError:
    return ImageError(f"{path} is truncated or damaged ({error}). Copy or export the file again.")


def _is_coded(dataset: Dataset) -> bool:
    """Whether a codec holds the values, and not words of BitsAllocated (of which RLE is a packing)."""
    syntax = dataset.file_meta.TransferSyntaxUID
    return bool(syntax.is_encapsulated) and syntax != _RLE


def _stored_values(path: Path) -> tuple[np.ndarray, bool]:
    """The values that a file stores, and whether a codec holds them."""
    dataset = read_dataset(path)
    if "PixelData" not in dataset:
        other = [name for name in ("FloatPixelData", "DoubleFloatPixelData") if name in dataset]
        if other:
            raise ImageError(f"{path} has {other[0]}; expected PixelData of 8 to 16 bits. Export it as such.")
        raise ImageError(
            f"{path} has no pixel data: it is truncated, or no image (a report, a plan). Export it again, or "
            "take it out of the folder."
        )
    keep_checked_frame(path, dataset)
    if not _is_coded(dataset):
        # pydicom keeps the lowest bits, wherever HighBit is: let it keep all, `_stored_bits` chooses.
        dataset.BitsStored = dataset.BitsAllocated
        dataset.HighBit = dataset.BitsAllocated - 1
    try:
        values = dataset.pixel_array
        # Big-endian files come in their own byte order; bits are chosen in that of the machine.
        return values.astype(values.dtype.newbyteorder("="), copy=False), _is_coded(dataset)
    except NotImplementedError as error:
        raise missing_codec(path, dataset, error) from error
    except RuntimeError as error:
        # Decoders that failed met a damaged file, unless all they say is that it is not for them.
        text = str(error)
        if "missing dependencies" in text or ("does not support" in text and "pylibjpeg:" not in text):
            raise missing_codec(path, dataset, error) from error
        raise _damaged(path, error) from error


def _stored_bits(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Stored values alone, where other things (old overlays) share their words."""
    allocated, bits, high_bit = dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit
    if allocated == bits:
        return stored
    unsigned = stored.view(np.uint8 if stored.dtype.itemsize == 1 else np.uint16)
    values = (unsigned >> (high_bit + 1 - bits)) & ((1 << bits) - 1)
    if not dataset.PixelRepresentation:
        return values
    sign = 1 << (bits - 1)
    return (values.astype(np.int32) ^ sign) - sign
