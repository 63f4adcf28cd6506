"""What in a DICOM file identifies a person, and the file without it: the Basic Profile of PS3.15, annex E.

Which attributes are removed, emptied or replaced is the table E.1-1 of the standard, as the package
dicom-anonymizer has it. It is applied to nested data sets too; private attributes are removed.

Pseudonyms come from a key: the same person has the same pseudonym, and without the key nobody can compute it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import ImageError, PathError
from flexunet.extras import import_extra
from flexunet.files import write_text
from flexunet.version import __version__

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

_EDITION = "dicomfields_2026c"
_REMOVED = ("X_TAGS", "X_D_TAGS", "X_Z_D_TAGS", "X_Z_U_STAR_TAGS")
_EMPTIED = (
    "Z_TAGS",
    "Z_D_TAGS",
    "X_Z_TAGS",
)  # none of them is of type 1 in an image of projection radiography
_NEW_UID, _DUMMY = ("U_TAGS",), ("D_TAGS",)
_DUMMIES = {"DA": "00010101", "TM": "000000", "DT": "00010101000000", "AS": "000Y", "IS": "0", "DS": "0"}
_TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT")
_KEY_BYTES = 32
# Header values by which a file name may tell who is shown; shorter ones are found by chance.
_TELLING = ("PatientName", "PatientID", "OtherPatientIDs", "AccessionNumber")
_LEAST_LETTERS = 4


@dataclass(frozen=True)
class Pseudonyms:
    """Names of persons and objects that are told apart, and known to nobody without the key.

    Attributes:
        key: The secret.
    """

    key: bytes

    @classmethod
    def of_file(cls, path: Path) -> Pseudonyms:
        """The pseudonyms of a key file, which is made where there is none, for its owner alone.

        Raises:
            PathError: if the file cannot be read or written, or holds no key.
        """
        if not path.exists():
            write_text(path, secrets.token_hex(_KEY_BYTES) + "\n")
            path.chmod(0o600)
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise PathError(
                f"cannot read a key from {path} ({error}). Give the file that was made with the data "
                "set, or a new name."
            ) from error
        if len(key) < _KEY_BYTES:
            raise PathError(f"{path} holds {len(key)} bytes; expected a key of {_KEY_BYTES}, in hexadecimal.")
        return cls(key)

    def patient(self, name: str) -> str:
        """The pseudonym of a person; "" stays ""."""
        return f"P{self._digest('patient', name)[:10].hex()}" if name else ""

    def uid(self, uid: str) -> str:
        """The UID that stands for another."""
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=5).int}"

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.new(self.key, f"{kind}\0{text}".encode(), hashlib.sha256).digest()


def identifying(dataset: Dataset) -> list[str]:
    """Names of the attributes that identify a person and have a value, those of nested data sets too."""
    actions = _actions()
    return sorted(
        {
            _name(element)
            for element in dataset.iterall()
            if (element.tag.is_private or _action_of(element, actions)) and not _is_empty(element)
        }
    )


def is_personal(column: str) -> bool:
    """Whether a column of a table is named like an attribute that identifies a person: `patient_name`."""
    return re.sub(r"[^a-z0-9]", "", column.casefold()) in _personal_keywords()


@cache
def _personal_keywords() -> frozenset[str]:
    from pydicom.datadict import keyword_for_tag

    return frozenset(keyword_for_tag(tag).casefold() for tag in _actions()) - {""}


def has_text_in_pixels(dataset: Dataset) -> bool:
    """Whether the header says that text is burned into the image."""
    return str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES"


def told_by_name(dataset: Dataset, name: str) -> list[str]:
    """Attributes of a person whose value a file name holds."""
    return [
        keyword
        for keyword in _TELLING
        if any(part in name.casefold() for part in _parts(dataset.get(keyword)))
    ]


def deidentify(dataset: Dataset, pseudonyms: Pseudonyms) -> list[str]:
    """Take out of a data set what identifies a person, in place; PatientID becomes a pseudonym.

    Text that is burned into the pixels stays: see `has_text_in_pixels`.

    Returns:
        Names of the attributes that were removed, emptied or replaced.
    """
    from pydicom import Dataset as New

    dropped = identifying(dataset)
    patient = pseudonyms.patient(str(dataset.get("PatientID") or ""))
    _clean(dataset, pseudonyms, _actions())
    dataset.PatientID = patient
    if file_meta := getattr(dataset, "file_meta", None):
        _clean(file_meta, pseudonyms, _actions())
        file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"DICOM PS3.15 Basic Profile by FlexUNet {__version__}"
    method = New()
    method.CodeValue, method.CodingSchemeDesignator = "113100", "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    dataset.DeidentificationMethodCodeSequence = [method]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    return dropped


def _clean(dataset: Dataset, pseudonyms: Pseudonyms, actions: dict[int, str]) -> None:
    for element in list(dataset):
        action = "remove" if element.tag.is_private else _action_of(element, actions)
        if action:
            _APPLY[action](dataset, element, pseudonyms)
        elif element.VR == "SQ":
            for item in element.value:
                _clean(item, pseudonyms, actions)


def _remove(dataset: Dataset, element: DataElement, _: Pseudonyms) -> None:
    del dataset[element.tag]


def _empty(_: Dataset, element: DataElement, __: Pseudonyms) -> None:
    element.clear()


def _replace_uid(_: Dataset, element: DataElement, pseudonyms: Pseudonyms) -> None:
    if element.value:
        uids = [element.value] if element.VM == 1 else list(element.value)
        new = [pseudonyms.uid(str(uid)) for uid in uids]
        element.value = new if len(new) > 1 else new[0]


def _put_dummy(dataset: Dataset, element: DataElement, pseudonyms: Pseudonyms) -> None:
    if element.VR in _TEXT:
        element.value = "REMOVED"
    elif element.VR == "UI":
        _replace_uid(dataset, element, pseudonyms)
    elif element.VR in _DUMMIES:
        element.value = _DUMMIES[element.VR]
    else:
        del dataset[element.tag]


_APPLY: dict[str, Callable[[Dataset, DataElement, Pseudonyms], None]] = {
    "remove": _remove,
    "empty": _empty,
    "uid": _replace_uid,
    "dummy": _put_dummy,
}


@cache
def _table() -> tuple[dict[int, str], list[tuple[tuple[int, ...], str]]]:
    """Actions by tag, and those of repeating groups by tag and mask."""
    import_extra("dicomanonymizer", extra="dicom", needed_by="the removal of personal data", error=ImageError)
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    table = dicom_anonymization_database_selector(_EDITION)
    kinds = {"remove": _REMOVED, "empty": _EMPTIED, "uid": _NEW_UID, "dummy": _DUMMY}
    single: dict[int, str] = {}
    repeating = []
    for action, categories in kinds.items():
        for category in categories:
            for tag in table[category]:
                if len(tag) == 2:
                    single[tag[0] << 16 | tag[1]] = action
                else:
                    repeating.append((tag, action))
    return single, repeating


def _actions() -> dict[int, str]:
    return _table()[0]


def _action_of(element: DataElement, actions: dict[int, str]) -> str:
    if action := actions.get(int(element.tag)):
        return action
    group, number = element.tag.group, element.tag.element
    for (first, second, group_mask, number_mask), action in _table()[1]:
        if group & group_mask == first & group_mask and number & number_mask == second & number_mask:
            return action
    return ""


def _name(element: DataElement) -> str:
    return element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})"


def _is_empty(element: DataElement) -> bool:
    return element.is_empty or (element.VR == "SQ" and not element.value)


def _parts(value: object) -> list[str]:
    """The parts of a value that a file name may hold: each name of a person, a whole number."""
    words = re.split(r"[\^=\\,\s]+", str(value or "").casefold())
    return [word for word in words if len(word) >= _LEAST_LETTERS]
