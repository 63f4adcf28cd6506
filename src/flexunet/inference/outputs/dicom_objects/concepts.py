"""The coded concepts of the objects: what a segment is, where it lies, what is measured.

Source: DICOM PS3.16, context groups 4014 (view), 6047 (CAD summary), 7150 and 7159 (segmentation), 7469
(measurements); SNOMED CT codes as the standard has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flexunet.data.dicom.header import view_code_of

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

    from flexunet.config.run_sections import DicomSection
    from flexunet.inference.outputs.dicom_objects.source import SourceImage

Triple = tuple[str, str, str]
"""Code value, coding scheme and meaning."""

ABNORMAL_STRUCTURE: Triple = ("49755003", "SCT", "Morphologically Abnormal Structure")
LESION: Triple = ("52988006", "SCT", "Lesion")
BREAST: Triple = ("76752008", "SCT", "Breast")
_LATERALITIES = {"L": ("7771000", "SCT", "Left"), "R": ("24028007", "SCT", "Right")}


@dataclass(frozen=True)
class Concepts:
    """Codes of the segments of an object.

    Attributes:
        category: What kind of thing all segments are.
        types: What the segments of each class are; one for all classes, or one a class.
        region: Where they lie; None: the breast, of mammograms.
    """

    category: Triple = ABNORMAL_STRUCTURE
    types: Sequence[Triple] = (LESION,)
    region: Triple | None = None

    @classmethod
    def configured(cls, section: DicomSection) -> Concepts:
        """As `[dicom]` says."""
        region = None if section.region is None else _triple(section.region)
        return cls(_triple(section.category), tuple(map(_triple, section.types)), region)

    def type_of(self, label: int) -> Code:
        """What a segment of a class is; classes count from 1."""
        return code(self.types[min(label, len(self.types)) - 1])

    def region_of(self, source: SourceImage) -> Code | None:
        """Where the segments of an image lie; None where neither configuration nor header tells."""
        if self.region is not None:
            return code(self.region)
        return code(BREAST) if source.is_breast else None


def _triple(text: str) -> Triple:
    """The code that a text of `[dicom]` means."""
    value, scheme, meaning = (part.strip() for part in text.split(",", 2))
    return value, scheme, meaning


def code(triple: Triple) -> Code:
    """A code as pydicom and highdicom take it."""
    from pydicom.sr.coding import Code

    value, scheme, meaning = triple
    return Code(value, scheme, meaning)


def laterality_code(source: SourceImage) -> Code | None:
    """The side of the body, coded; None where the header names none."""
    triple = _LATERALITIES.get(source.laterality)
    return None if triple is None else code(triple)


def view_code(source: SourceImage) -> Code | None:
    """The view, coded (context group 4014); None where the header names none that the group has."""
    from pydicom.sr.codedict import codes

    value = view_code_of(source.header)
    for name in codes.cid4014.dir():
        each = getattr(codes.cid4014, name)
        if each.value == value:
            return each
    return None
