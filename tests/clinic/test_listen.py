import queue
import socket

import pydicom
import pytest

from flexunet.clinic.associations import echo
from flexunet.clinic.commitment import commitment_of
from flexunet.clinic.inbox import Inbox
from flexunet.clinic.listen import Listener, listening
from flexunet.clinic.peers import Patience, Peer
from flexunet.clinic.send import send_files
from flexunet.errors import PathError, PeerError

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
QUICK = Patience(seconds=5, retries=0, pause=0.01)


@pytest.fixture
def take(tmp_path):
    """Start a listener: `with take(allowed=["A"]) as (peer, inbox, arrived)`."""
    from contextlib import contextmanager

    @contextmanager
    def start(**options):
        inbox, arrived = Inbox(tmp_path / "accepted"), queue.SimpleQueue()
        listener = Listener(port=0, **{"patience": QUICK, **options})
        with listening(listener, inbox, arrived.put) as port:
            yield Peer("FLEXUNET", "127.0.0.1", port), inbox, arrived

    return start


def test_what_is_accepted_is_on_the_disk(take, films):
    paths = films(3)
    with take() as (peer, inbox, arrived):
        echo(peer, title="ANYONE", patience=QUICK)
        sent = send_files(peer, paths, title="MODALITY", patience=QUICK, commit=True)
        assert sent.failures == {}
        assert len(sent.commitment.kept) == 3
        assert sent.commitment.missing == {}
        assert {arrived.get(timeout=5).path for _ in paths} == {each.path for each in inbox}
    sources = sorted(map(pydicom.dcmread, paths), key=lambda source: source.SOPInstanceUID)
    assert [pydicom.dcmread(each.path) for each in inbox] == sources


def test_only_titles_of_the_list_may_call(take, films):
    with take(allowed=["MODALITY"]) as (peer, inbox, _):
        with pytest.raises(PeerError, match="Calling AE title not recognised"):
            send_files(peer, films(1), title="STRANGER", patience=QUICK)
        assert list(inbox) == []
        assert send_files(peer, films(1), title="MODALITY", patience=QUICK).failures == {}
        with pytest.raises(PeerError, match="Called AE title not recognised"):
            echo(Peer("OTHER", peer.host, peer.port), title="MODALITY", patience=QUICK)


def test_an_object_without_study_is_refused_and_the_listener_goes_on(take, films):
    first, second = films(2)
    dataset = pydicom.dcmread(first)
    del dataset.StudyInstanceUID
    dataset.save_as(first)
    with take() as (peer, inbox, _):
        sent = send_files(peer, [first, second], patience=QUICK)
        assert sent.failures == {first: "the peer did not store it: status 0xC000."}
        assert [each.instance for each in inbox] == [pydicom.dcmread(second).SOPInstanceUID]


def test_commitment_comes_by_an_association_where_the_address_is_known(take, films, end, sockets_collected):
    from pynetdicom import AE, evt

    answers = queue.SimpleQueue()
    calling = AE(ae_title="MODALITY")
    calling.add_supported_context("1.2.840.10008.1.20.1", scu_role=True, scp_role=True)

    def taken(event):
        answers.put(commitment_of(event.event_information))
        return 0x0000, None

    handlers = [(evt.EVT_N_EVENT_REPORT, taken)]
    server = calling.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    address = f"MODALITY@127.0.0.1:{server.socket.getsockname()[1]}"
    (film,) = films(1)
    with take(allowed=[address]) as (peer, _, _):
        with pytest.raises(PeerError, match=r"did not answer for them within 0\.5 s"):
            send_files(peer, [film], title="MODALITY", patience=Patience(seconds=0.5, retries=0), commit=True)
        assert answers.get(timeout=5).kept == {pydicom.dcmread(film).SOPInstanceUID}
    end(calling, server)


def test_a_port_that_is_taken_is_said(silent_port, tmp_path):
    listener = Listener(port=silent_port)
    with (
        pytest.raises(PathError, match="Choose another --host or --port"),
        listening(listener, Inbox(tmp_path / "accepted"), print),
    ):
        pass


def test_a_peer_that_says_nothing_is_disconnected_and_others_are_served(take):
    with take(patience=Patience(seconds=0.5, retries=0)) as (peer, _, _):
        with socket.create_connection((peer.host, peer.port), timeout=20) as silent:
            echo(peer, patience=QUICK)
            assert silent.recv(64) == b""
        echo(peer, patience=QUICK)


def test_dcmtk_is_understood(take, films, dcmtk):
    (film,) = films(1)
    with take() as (peer, inbox, _):
        target = ("-aec", "FLEXUNET", "127.0.0.1", peer.port)
        assert dcmtk("echoscu", "-aet", "TOOL", *target)[0] == 0
        assert dcmtk("storescu", "-aet", "TOOL", *target, film)[0] == 0
        assert [pydicom.dcmread(each.path).SOPClassUID for each in inbox] == [MAMMOGRAM]
        code, said = dcmtk("echoscu", "-aet", "TOOL", "-aec", "WRONG", "127.0.0.1", peer.port)
        assert code != 0
        assert "Called AE Title Not Recognized" in said
