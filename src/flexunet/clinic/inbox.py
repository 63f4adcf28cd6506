"""The objects that a listener has accepted, each a file that is on the disk before the sender is told so.

<folder>/accepted/STUDY/OBJECT.dcm    by the UIDs of study and object
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.digests import digest_of
from flexunet.data.dicom.read import read_header
from flexunet.errors import FlexUNetError, PathError
from flexunet.files import flush_folder, replacing, sweep

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_SUFFIX = ".dcm"


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 9.1), and so a name of a file that cannot lead elsewhere."""
    return len(text) <= _LONGEST_UID and _UID.fullmatch(text) is not None


@dataclass(frozen=True)
class Accepted:
    """An object that was accepted.

    Attributes:
        path: Its file.
        study: UID of its study.
        instance: Its own UID.
    """

    path: Path
    study: str
    instance: str

    @property
    def key(self) -> str:
        """What tells this content from another under the same UID."""
        return f"{self.instance} {digest_of(self.path)}"


class Inbox:
    """A folder of accepted objects.

    Args:
        folder: Where they lie; made if it is missing. What a killed listener left half written is removed.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder, alone=True, below=True)
        self._classes: dict[str, str] = {}

    def accept(self, content: bytes, sop_class: str, instance: str, study: str) -> Accepted:
        """Write an object and wait until it is on the disk.

        Args:
            content: The file.
            sop_class: Its SOP class.
            instance: Its SOP instance UID.
            study: UID of its study.

        Raises:
            PathError: if a UID is none, or the file cannot be written.
        """
        if not (is_uid(instance) and is_uid(study)):
            raise PathError("the object has no valid SOPInstanceUID or StudyInstanceUID")
        folder = self.folder / study
        is_new = not folder.is_dir()
        path = folder / f"{instance}{_SUFFIX}"
        if not (path.is_file() and path.read_bytes() == content):
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        flush_folder(folder)
        if is_new:
            flush_folder(self.folder)
        self._classes[instance] = sop_class
        return Accepted(path, study, instance)

    def __iter__(self) -> Iterator[Accepted]:
        for path in sorted(self.folder.glob(f"*/[!.]*{_SUFFIX}")):
            yield Accepted(path, path.parent.name, path.name.removesuffix(_SUFFIX))

    def class_of(self, instance: str) -> str | None:
        """SOP class of an object that is here; None if it is not."""
        if not is_uid(instance):
            return None
        path = next(self.folder.glob(f"*/{instance}{_SUFFIX}"), None)
        if path is None:
            return None
        if instance not in self._classes:
            try:
                self._classes[instance] = str(read_header(path).SOPClassUID)
            except (FlexUNetError, AttributeError):
                return None
        return self._classes[instance]
