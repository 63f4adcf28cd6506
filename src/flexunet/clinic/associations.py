"""Associations with a peer: opened with time-outs, retried where that may help, refusals in plain words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flexunet.clinic.peers import OWN_TITLE, Patience, Peer
from flexunet.errors import PeerError
from flexunet.extras import import_extra

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.association import Association

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_TRANSIENT = 2  # result of a rejection that may pass (PS3.8 9.3.4)


def require_network() -> Any:
    """The library of the DICOM network protocol.

    Raises:
        EngineError: if it is not installed.
    """
    return import_extra("pynetdicom", extra="clinic", needed_by="the DICOM network protocol")


def entity(title: str, patience: Patience) -> AE:
    """An application entity that waits no longer than it is told."""
    require_network()
    from pynetdicom import AE

    made = AE(ae_title=title)
    made.acse_timeout = made.dimse_timeout = made.network_timeout = made.connection_timeout = patience.seconds
    return made


@contextmanager
def associated(
    peer: Peer,
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    title: str = OWN_TITLE,
    patience: Patience = Patience(),
    handlers: Sequence[Any] = (),
    provided: Sequence[str] = (),
) -> Iterator[Association]:
    """An association with a peer, released at the end.

    Args:
        peer: The other system.
        contexts: What is to be exchanged: each abstract syntax with its transfer syntaxes.
        title: Our own AE title.
        patience: Time-outs and attempts.
        handlers: Handlers of pynetdicom's events.
        provided: Abstract syntaxes for which we are the provider (SCP), and the peer the user.

    Raises:
        PeerError: if the peer is not reached, does not answer or refuses.
    """
    calling = entity(title, patience)
    from pynetdicom import build_role

    roles = [build_role(syntax, scp_role=True) for syntax in provided]
    for abstract, transfer in contexts:
        calling.add_requested_context(abstract, list(transfer))
    association = _open(calling, peer, patience, handlers, roles)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _open(
    calling: AE, peer: Peer, patience: Patience, handlers: Sequence[Any], roles: Sequence[Any]
) -> Association:
    for attempt in range(patience.retries + 1):
        association = calling.associate(
            peer.host,
            peer.port,
            ae_title=peer.title,
            evt_handlers=list(handlers) or None,
            ext_neg=list(roles) or None,
        )
        if association.is_established:
            return association
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None and answer.result != _TRANSIENT:
            raise PeerError(
                f"{peer} refuses the association: {answer.reason_str}. Check both AE titles "
                f"({calling.ae_title} calls {peer.title}), and whether the peer knows {calling.ae_title}."
            )
        if attempt < patience.retries:
            time.sleep(patience.pause * 2**attempt)
    tried = f"{patience.retries + 1} attempts of up to {patience.seconds:g} s"
    if association.is_rejected and answer is not None:
        raise PeerError(
            f"{peer} refuses associations for now: {answer.reason_str} ({tried}). Try again later."
        )
    if association.acceptor.primitive is not None:
        raise PeerError(f"{peer} accepts nothing of what is offered. Check what it stores.")
    raise PeerError(
        f"{peer} cannot be reached, or does not answer as a DICOM system ({tried}). Check host and port, and "
        "whether the peer runs."
    )


def echo(peer: Peer, *, title: str = OWN_TITLE, patience: Patience = Patience()) -> None:
    """Ask a peer whether it is there (C-ECHO).

    Raises:
        PeerError: if it does not say so.
    """
    require_network()
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    with associated(peer, [(Verification, UNCOMPRESSED)], title=title, patience=patience) as association:
        status = association.send_c_echo()
        if status.get("Status") != 0:
            raise PeerError(f"{peer} does not answer C-ECHO as expected: {said(status)}.")


def said(status: Any) -> str:
    """The status of an answer in words; an empty one means that none came."""
    code = status.get("Status")
    if code is None:
        return "no answer in time, or the connection was lost"
    comment = str(status.get("ErrorComment") or "")
    return f"status 0x{code:04X}" + (f", {comment}" if comment else "")
