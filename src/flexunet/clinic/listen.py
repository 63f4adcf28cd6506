"""A DICOM system that takes images, predicts them, and answers for them: C-ECHO, C-STORE, Storage Commitment.

An image is accepted only after it is on the disk: a sender that gets a success may delete its copy. The model
works in the main thread, one study at a time, while further images arrive.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flexunet.clinic.associations import UNCOMPRESSED, associated, entity, require_network, said
from flexunet.clinic.commitment import COMMITMENT_CLASS, COMMITMENT_INSTANCE, answer_to
from flexunet.clinic.inbox import Accepted, Inbox
from flexunet.clinic.peers import OWN_TITLE, Patience, Peer, check_title, parse_peer
from flexunet.errors import ConfigError, FlexUNetError, PathError
from flexunet.serve.server import is_loopback

if TYPE_CHECKING:
    from flexunet.clinic.station import Station

log = logging.getLogger("flexunet.clinic")
SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD, PROCESSING_FAILURE = 0x0000, 0xA700, 0xC000, 0x0110
_DEFLATED = "1.2.840.10008.1.2.1.99"
_LAST_WORDS = 2.0  # seconds for an association that is ending
_LONGEST_WAIT = 600.0  # seconds between two attempts to send on
IMAGES = (
    "1.2.840.10008.5.1.4.1.1.1.2",  # Digital Mammography X-Ray, For Presentation
    "1.2.840.10008.5.1.4.1.1.1.2.1",  # Digital Mammography X-Ray, For Processing
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, For Presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, For Processing
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture: scanned films
)


@dataclass(frozen=True)
class Listener:
    """How a listener is to run.

    Attributes:
        title: Its AE title.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        allowed: AE titles that may call, each with its address where that is known: `TITLE` or
            `TITLE@HOST:PORT`. None at all: every title may call, from this machine alone.
        patience: Time-outs; seconds also bound how long a peer may say nothing.

    Raises:
        ConfigError: if other machines could call without a list of titles, or a title is none.
    """

    title: str = OWN_TITLE
    host: str = "127.0.0.1"
    port: int = 11112
    allowed: Sequence[str] = ()
    patience: Patience = field(default_factory=Patience)
    peers: dict[str, Peer | None] = field(init=False)

    def __post_init__(self) -> None:
        check_title(self.title)
        peers: dict[str, Peer | None] = {}
        for text in self.allowed:
            peer = parse_peer(text) if "@" in text else None
            peers[peer.title if peer else check_title(text)] = peer
        object.__setattr__(self, "peers", peers)
        if not peers and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} lets other machines send images, so it wants the AE titles that may: "
                "give --allow TITLE for each. A title is no password: let a firewall guard the port."
            )


@contextmanager
def listening(listener: Listener, inbox: Inbox, arrived: Callable[[Accepted], None]) -> Iterator[int]:
    """Take objects, in threads of their own, until the end of the block.

    Args:
        listener: How.
        inbox: Where accepted objects go.
        arrived: Called with each accepted object.

    Yields:
        The port.

    Raises:
        PathError: if the address cannot be had.
        EngineError: if pynetdicom is not installed.
    """
    require_network()
    from pynetdicom import ALL_TRANSFER_SYNTAXES, evt
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    called = entity(listener.title, listener.patience)
    called.require_called_aet = True
    called.require_calling_aet = list(listener.peers)
    called.add_supported_context(Verification)
    called.add_supported_context(COMMITMENT_CLASS)
    for sop_class in IMAGES:
        called.add_supported_context(sop_class, [each for each in ALL_TRANSFER_SYNTAXES if each != _DEFLATED])
    desk = _Desk(listener, inbox, arrived)
    handlers: list[Any] = [
        (evt.EVT_C_ECHO, lambda _: SUCCESS),
        (evt.EVT_C_STORE, desk.store),
        (evt.EVT_N_ACTION, desk.commit),
        (evt.EVT_REJECTED, desk.say_rejected),
    ]
    try:
        server = called.start_server((listener.host, listener.port), block=False, evt_handlers=handlers)
    except OSError as error:
        raise PathError(
            f"cannot listen on {listener.host}, port {listener.port}: {error.strerror or error}. Choose "
            "another --host or --port."
        ) from error
    try:
        yield server.socket.getsockname()[1]  # type: ignore[union-attr]
    finally:
        if server is not None:
            server.shutdown()
        # Those that were refused or released are about to end by themselves; an abort would disturb them.
        for association in called.active_associations:
            if not association.is_established:
                association.join(_LAST_WORDS)
        called.shutdown()


class _Desk:
    """Answers the requests of peers."""

    def __init__(self, listener: Listener, inbox: Inbox, arrived: Callable[[Accepted], None]):
        self.listener = listener
        self.inbox = inbox
        self.arrived = arrived

    def store(self, event: Any) -> int:
        """C-STORE: success only once the object is on the disk."""
        try:
            request = event.request
            study = str(event.dataset.get("StudyInstanceUID") or "")
            accepted = self.inbox.accept(
                event.encoded_dataset(),
                str(request.AffectedSOPClassUID),
                str(request.AffectedSOPInstanceUID),
                study,
            )
        except PathError as error:
            log.error("an object is refused: %s", error)
            return NOT_UNDERSTOOD if "UID" in str(error) else OUT_OF_RESOURCES
        except Exception as error:  # pydicom raises whatever it meets on damaged objects
            log.error("an object is refused: it cannot be read (%s)", error)
            return NOT_UNDERSTOOD
        self.arrived(accepted)
        return SUCCESS

    def commit(self, event: Any) -> tuple[int, None]:
        """Storage Commitment: what is asked is answered after the request is acknowledged."""
        try:
            kind, answer = answer_to(event.action_information, self.inbox.class_of)
        except Exception as error:  # as above
            log.error("a request for commitment is refused: it cannot be read (%s)", error)
            return PROCESSING_FAILURE, None
        title = event.assoc.requestor.ae_title
        threading.Thread(
            target=self._report, args=(event.assoc, title, kind, answer), name="commitment", daemon=True
        ).start()
        return SUCCESS, None

    def _report(self, association: Any, title: str, kind: int, answer: Any) -> None:
        """Answer on the association that asked, else by one of our own to the peer's known address."""
        message = (answer, kind, COMMITMENT_CLASS, COMMITMENT_INSTANCE)
        peer = self.listener.peers.get(title)
        try:
            if peer is None:
                status, _ = association.send_n_event_report(*message)
            else:
                with associated(
                    peer,
                    [(COMMITMENT_CLASS, UNCOMPRESSED)],
                    title=self.listener.title,
                    patience=self.listener.patience,
                    provided=[COMMITMENT_CLASS],
                ) as own:
                    status, _ = own.send_n_event_report(*message)
            if status.get("Status") != SUCCESS:
                log.warning("%s did not take the answer for its objects: %s", title, said(status))
        except (FlexUNetError, RuntimeError, ValueError) as error:
            log.warning("%s could not be answered for its objects: %s", title, error)

    def say_rejected(self, event: Any) -> None:
        """An association that was refused."""
        request = event.assoc.requestor
        called = request.primitive.called_ae_title if request.primitive else ""
        log.warning("refused: %s at %s, which calls %s", request.ae_title, request.address, called)


def listen(station: Station, listener: Listener, announce: Callable[[str], None]) -> None:
    """Take images and work them off until the process is told to stop.

    Args:
        station: What is done with them.
        listener: Who may send them, and where.
        announce: Called with title and address when images are taken.
    """
    waiting: queue.SimpleQueue[Accepted] = queue.SimpleQueue()
    with listening(listener, station.inbox, waiting.put) as port:
        announce(f"{listener.title}@{listener.host}:{port}")
        pause = listener.patience.pause
        batch: list[Accepted] | None = None  # all that an earlier listener left
        while True:
            done = station.work_off(batch)
            if done and waiting.empty():
                log.info("nothing is waiting")
            pause = listener.patience.pause if done else min(2 * pause, _LONGEST_WAIT)
            batch = _next_batch(waiting, None if done else pause)


def _next_batch(waiting: queue.SimpleQueue[Accepted], seconds: float | None) -> list[Accepted] | None:
    """What has arrived, as soon as there is something; None, which is all, where it is time to try again."""
    try:
        batch = [waiting.get(timeout=seconds)]
    except queue.Empty:
        return None
    while not waiting.empty():
        batch.append(waiting.get())
    return batch if seconds is None else None
