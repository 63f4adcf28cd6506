"""DICOM files to a peer: C-STORE, and Storage Commitment where it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.clinic.associations import UNCOMPRESSED, associated, entity, require_network, said
from flexunet.clinic.commitment import (
    COMMITMENT_CLASS,
    COMMITMENT_INSTANCE,
    REQUEST,
    Commitment,
    commitment_of,
    request_of,
)
from flexunet.clinic.peers import OWN_TITLE, Patience, Peer
from flexunet.data.dicom.read import has_preamble, read_dataset, read_header, refusing_damage
from flexunet.errors import FlexUNetError, PathError, PeerError
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from pynetdicom.association import Association

_WARNINGS = range(0xB000, 0xC000)  # stored, with something to say about it (PS3.4 B.2.3)


@dataclass(frozen=True)
class StoredFile:
    """A DICOM file that can be sent.

    Attributes:
        path: The file.
        sop_class: Its SOP class.
        instance: Its SOP instance UID.
        transfer_syntax: How it is encoded.
    """

    path: Path
    sop_class: str
    instance: str
    transfer_syntax: str


@dataclass
class Sent:
    """What came of files.

    Attributes:
        files: Those that the peer has stored.
        failures: Why others are not stored, by file.
        notes: What the peer said of those that it stored.
        commitment: What the peer answers for; None where it was not asked.
    """

    files: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    commitment: Commitment | None = None


def find_files(inputs: Iterable[Path | str]) -> list[Path]:
    """The DICOM files that are meant: each file given, and those in each folder and below, hidden ones not.

    Raises:
        PathError: if an input does not exist, or none is a DICOM file.
    """
    found: dict[Path, None] = {}
    for given in map(Path, inputs):
        if not given.exists():
            raise PathError(f"{given} does not exist. Give DICOM files, or folders of them.")
        below = sorted(path for path in given.rglob("*") if path.is_file()) if given.is_dir() else [given]
        for path in below:
            if not given.is_dir() or (
                has_preamble(path) and path.name.upper() != "DICOMDIR" and not path.name.startswith(".")
            ):
                found[path] = None
    if not found:
        raise PathError("no DICOM file is among what was given. Give DICOM files, or folders of them.")
    return list(found)


def describe_file(path: Path) -> StoredFile:
    """What must be known of a file before it is offered to a peer.

    Raises:
        ImageError: if it is no DICOM file.
        PathError: if it lacks its UIDs.
    """
    header = read_header(path)
    with refusing_damage(path):
        syntax = str(header.file_meta.get("TransferSyntaxUID") or "")
        sop_class, instance = str(header.get("SOPClassUID") or ""), str(header.get("SOPInstanceUID") or "")
    if not (syntax and sop_class and instance):
        raise PathError(f"{path} lacks SOPClassUID, SOPInstanceUID or TransferSyntaxUID and cannot be sent.")
    return StoredFile(path, sop_class, instance, syntax)


def send_files(
    peer: Peer,
    paths: Sequence[Path],
    *,
    title: str = OWN_TITLE,
    patience: Patience = Patience(),
    commit: bool = False,
    commit_port: int | None = None,
    progress: Progress = silent,
) -> Sent:
    """Send files to a peer.

    A file that cannot be sent, or that the peer does not take, is named, and the others are sent.

    Args:
        peer: The other system.
        paths: DICOM files.
        title: Our own AE title.
        patience: Time-outs and attempts.
        commit: Whether the peer is asked to answer for the files (Storage Commitment).
        commit_port: Port at which the peer's answer is taken, where it comes by an association of its own.
        progress: Told how many files are done.

    Raises:
        PeerError: if the peer is not reached or refuses, or does not answer for the files in time.
        EngineError: if pynetdicom is not installed.
    """
    require_network()
    sent, files = Sent(), []
    for path in paths:
        try:
            files.append(describe_file(path))
        except FlexUNetError as error:
            sent.failures[path] = str(error)
    if not files:
        return sent
    answered = _Answers()
    with _answers_taken(answered, title, patience, commit_port if commit else None):
        stored = _store_all(peer, files, sent, title, patience, progress)
        if commit and stored:
            context = [(COMMITMENT_CLASS, UNCOMPRESSED)]
            handlers = answered.handlers()
            with associated(peer, context, title=title, patience=patience, handlers=handlers) as association:
                sent.commitment = _ask_for_commitment(association, peer, stored, answered, patience)
    return sent


def _contexts(files: Sequence[StoredFile]) -> list[tuple[str, Sequence[str]]]:
    """One context a class of uncompressed files, and one a class and compression."""
    pairs = {
        (each.sop_class, UNCOMPRESSED if each.transfer_syntax in UNCOMPRESSED else (each.transfer_syntax,))
        for each in files
    }
    return sorted(pairs)


def _store_all(
    peer: Peer,
    files: Sequence[StoredFile],
    sent: Sent,
    title: str,
    patience: Patience,
    progress: Progress,
) -> list[StoredFile]:
    """Send files; those that are stored. A file at which the peer hangs up keeps no other from being sent."""
    stored: list[StoredFile] = []
    waiting = list(files)
    while waiting:
        try:
            with associated(peer, _contexts(waiting), title=title, patience=patience) as association:
                while waiting and association.is_established:
                    each = waiting.pop(0)
                    if failure := _store(association, each, sent):
                        sent.failures[each.path] = failure
                    else:
                        sent.files.append(each.path)
                        stored.append(each)
                    progress("files", len(files) - len(waiting), len(files))
        except PeerError as error:
            if len(waiting) == len(files):
                raise
            sent.failures |= {each.path: str(error) for each in waiting}
            break
    return stored


def _store(association: Association, each: StoredFile, sent: Sent) -> str:
    """Send a file; why the peer has not stored it, "" if it has."""
    try:
        dataset = read_dataset(each.path)
        if "PixelData" in dataset and len(dataset.PixelData) % 2:
            dataset.PixelData += b"\0"  # peers hang up at an odd length, which PS3.5 7.1 forbids
        status = association.send_c_store(dataset)
    except FlexUNetError as error:
        return str(error)
    except (ValueError, RuntimeError) as error:  # not agreed to, or the association has ended
        return f"it cannot be sent to this peer ({error})."
    code = status.get("Status")
    if code is None:
        association.abort()  # whatever comes on it now would be taken for the answer of the next file
    if code in _WARNINGS:
        sent.notes.append(f"{each.path}: the peer stored it and says {said(status)}")
    return "" if code == 0 or code in _WARNINGS else f"the peer did not store it: {said(status)}."


class _Answers:
    """Answers of a peer to requests for commitment, whichever association brings them."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._answers: dict[str, Commitment] = {}

    def handlers(self) -> list[Any]:
        from pynetdicom import evt

        return [(evt.EVT_N_EVENT_REPORT, self._take)]

    def _take(self, event: Any) -> tuple[int, None]:
        answer = commitment_of(event.event_information)
        with self._came:
            self._answers[answer.transaction] = answer
            self._came.notify_all()
        return 0x0000, None

    def wait(self, transaction: str, seconds: float) -> Commitment | None:
        with self._came:
            self._came.wait_for(lambda: transaction in self._answers, seconds)
            return self._answers.get(transaction)


@contextmanager
def _answers_taken(answered: _Answers, title: str, patience: Patience, port: int | None) -> Iterator[None]:
    """Take the answers of a peer that calls back, at a port of this machine."""
    if port is None:
        yield
        return
    listening = entity(title, patience)
    listening.add_supported_context(COMMITMENT_CLASS, list(UNCOMPRESSED), scu_role=True, scp_role=True)
    try:
        server = listening.start_server(("", port), block=False, evt_handlers=answered.handlers())
    except OSError as error:
        raise PathError(
            f"cannot listen on port {port} for the answer of the peer: {error.strerror or error}. Choose "
            "another --commit-port."
        ) from error
    try:
        yield
    finally:
        if server is not None:
            server.shutdown()


def _ask_for_commitment(
    association: Association,
    peer: Peer,
    stored: Sequence[StoredFile],
    answered: _Answers,
    patience: Patience,
) -> Commitment:
    from pydicom.uid import generate_uid

    transaction = str(generate_uid(prefix=None))
    request = request_of(transaction, [(each.sop_class, each.instance) for each in stored])
    try:
        status, _ = association.send_n_action(request, REQUEST, COMMITMENT_CLASS, COMMITMENT_INSTANCE)
    except (ValueError, RuntimeError) as error:
        raise PeerError(f"{peer} stored the files and takes no request for commitment ({error}).") from error
    if status.get("Status") != 0:
        raise PeerError(f"{peer} stored the files and refuses to commit to them: {said(status)}.")
    answer = answered.wait(transaction, patience.seconds)
    if answer is None:
        raise PeerError(
            f"{peer} stored the files and did not answer for them within {patience.seconds:g} s. A peer that "
            "answers by an association of its own must know this machine as a peer, at the port of "
            "--commit-port."
        )
    return answer
