"""The image that DICOM objects refer to, and what all of them say of who made them.

A UID is made from what the object holds. So an object that is written twice from the same image, model and
settings is the same object, and an archive that gets it twice keeps one.
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.data.dicom.header import laterality_of
from flexunet.data.dicom.read import read_header, refusing_damage
from flexunet.errors import ImageError
from flexunet.extras import import_extra
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

MANUFACTURER = "FlexUNet"
_LONGEST_TEXT = 64  # characters of a Long String (PS3.5 6.2)
# Type 2 attributes of patient and study: they must be there, and may be empty (PS3.3 C.7.1.1, C.7.2.1).
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
# A projection has no place in space. Where these stand alone, highdicom takes the image for a slice.
_VOLUME_ONLY = (
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_NAMESPACE = uuid.UUID("7a0c0ed7-8f0e-5d0c-9d54-4c1f5f4d6b1e")


@dataclass(frozen=True)
class SourceImage:
    """A DICOM image that objects can refer to.

    Attributes:
        path: Its file.
        header: Everything but its pixels, completed, texts in UTF-8.
        spacing: Height and width of a pixel in mm; None where it is unknown.
        model: Digest of the weights that predicted it; "" where a person drew.
        reader: Who drew or checked the mask; "" where nobody did.
    """

    path: Path
    header: Dataset
    spacing: tuple[float, float] | None = None
    model: str = ""
    reader: str = ""

    @property
    def is_breast(self) -> bool:
        """Whether the header calls it a mammogram, or an image of a breast."""
        header = self.header
        return header.get("Modality") == "MG" or str(header.get("BodyPartExamined") or "").upper() == "BREAST"

    @property
    def laterality(self) -> str:
        """`L`, `R` or ""."""
        return laterality_of(self.header)

    def uid(self, kind: str, *content: object) -> str:
        """A UID (2.25, PS3.5 B.2) of an object of this image, made from what it holds."""
        return _uid(kind, self.header.SOPInstanceUID, self.model, self.reader, __version__, *content)

    def device_uid(self) -> str:
        """The UID of the program with this model, as an observer; the same for all images."""
        return _uid("device", self.model, __version__)

    def series(self, kind: str, number: int, *content: object) -> dict[str, Any]:
        """UIDs and numbers of an object in a series of its own, as arguments of highdicom's classes.

        Args:
            kind: What the object is.
            number: Added to the source's SeriesNumber.
            content: What it holds.
        """
        uid = self.uid(kind, *content)
        return {
            "sop_instance_uid": uid,
            "series_instance_uid": self.uid("series", uid),
            "series_number": number + int(self.header.get("SeriesNumber") or 0) % 1000,
            "instance_number": 1,
        }

    def equipment(self) -> dict[str, Any]:
        """Enhanced General Equipment (PS3.3 C.7.5.2), as arguments of highdicom's classes."""
        return {
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MANUFACTURER,
            "software_versions": __version__,
            "device_serial_number": self.model[:_LONGEST_TEXT] or "0",
        }

    def parameters(self) -> list[str]:
        """What tells this model from others, for the identification of the algorithm."""
        return [f"weights={self.model}"] if self.model else []


def read_source(
    path: Path | str,
    *,
    spacing: tuple[float, float] | None = None,
    model: str = "",
    reader: str = "",
) -> SourceImage:
    """A DICOM image that objects are to refer to; arguments as the attributes of `SourceImage`.

    Raises:
        ImageError: if the image lacks what a reference needs, or highdicom is not installed.
    """
    path = Path(path)
    with refusing_damage(path):
        header = _referable(path, read_header(path))
    import_extra(
        "highdicom",
        extra="dicom",
        needed_by=f"a DICOM object for {path}",
        error=ImageError,
        otherwise=", or set [infer] dicom_seg = false",
    )
    return SourceImage(path, header, spacing, model, reader)


def _uid(*told: object) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in told:
        piece = part if isinstance(part, bytes) else str(part).encode()
        digest.update(str(len(piece)).encode() + b":" + piece)
    return f"2.25.{uuid.uuid5(_NAMESPACE, digest.hexdigest()).int}"


def made_by_highdicom(what: str, source: SourceImage, make: Callable[[], Dataset]) -> Dataset:
    """What a call of highdicom makes; whatever a header makes it raise becomes an error with a remedy.

    Raises:
        ImageError: names the file.
    """
    try:
        return make()
    except Exception as error:  # highdicom raises whatever a header makes it meet
        raise ImageError(
            f"{source.path}: no {what} can be made from its header ({error}). Correct it, or write no such "
            "object."
        ) from error


def _referable(path: Path, header: Dataset) -> Dataset:
    missing = [name for name in _NEEDED if not header.get(name)]
    if missing:
        raise ImageError(
            f"{path} lacks {', '.join(missing)}, so no DICOM object can refer to it. Complete the file, or "
            "set [infer] dicom_seg = false."
        )
    complete = copy.deepcopy(header)
    for name in _VOLUME_ONLY:
        if name in complete:
            delattr(complete, name)
    for name in _MAY_BE_EMPTY:
        if name not in complete:
            setattr(complete, name, "")
    return _in_unicode(complete)


def _in_unicode(header: Dataset) -> Dataset:
    """The header with its texts in UTF-8, which holds them all.

    highdicom takes no character set of several parts that begins with nothing, the usual one of Japanese and
    Korean names.
    """
    header.decode()
    for element in header.iterall():
        if element.VR == "PN" and element.value:
            # A name keeps the bytes that it was read from; of its text it makes new ones.
            several = element.VM > 1
            element.value = [str(name) for name in element.value] if several else str(element.value)
    header.SpecificCharacterSet = "ISO_IR 192"
    return header
