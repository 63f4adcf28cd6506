import io
import socket

import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from flexunet.clinic.associations import echo
from flexunet.clinic.peers import Patience, Peer
from flexunet.clinic.send import find_files, send_files
from flexunet.errors import PathError, PeerError

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
QUICK = Patience(seconds=2, retries=1, pause=0.01)


def test_files_arrive_as_they_are(films, store):
    paths = films(3)
    with store("PEER", [MAMMOGRAM]) as (port, received):
        sent = send_files(Peer("PEER", "127.0.0.1", port), paths, patience=QUICK)
    assert (sent.files, sent.failures) == (paths, {})
    for path, content in zip(paths, received, strict=True):
        own, there = pydicom.dcmread(path), pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
        assert there == own
        assert there.PixelData == own.PixelData


def test_what_a_peer_does_not_take_is_named_and_the_rest_is_sent(films, store, tmp_path):
    film, other = films(2)
    dataset = pydicom.dcmread(other)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.save_as(other)
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(film.read_bytes()[:200])
    with store("PEER", [MAMMOGRAM]) as (port, received):
        sent = send_files(Peer("PEER", "127.0.0.1", port), [other, damaged, film], patience=QUICK)
    assert sent.files == [film]
    assert len(received) == 1
    assert "cannot be sent to this peer" in sent.failures[other]
    assert str(damaged) in sent.failures[damaged]


def test_a_store_without_room_is_quoted(films, store):
    (film,) = films(1)
    with store("PEER", [MAMMOGRAM], status=0xA700) as (port, _):
        sent = send_files(Peer("PEER", "127.0.0.1", port), [film], patience=QUICK)
    assert sent.failures == {film: "the peer did not store it: status 0xA700."}
    with store("PEER", [MAMMOGRAM], status=0xB000) as (port, _):
        sent = send_files(Peer("PEER", "127.0.0.1", port), [film], patience=QUICK)
    assert sent.files == [film]
    assert "says status 0xB000" in sent.notes[0]


def test_a_file_at_which_a_peer_hangs_up_keeps_no_other_from_being_sent(films, end, sockets_collected):
    from pynetdicom import AE, evt

    paths, received = films(3), []
    bad = pydicom.dcmread(paths[1]).SOPInstanceUID
    entity = AE(ae_title="PEER")
    entity.add_supported_context(MAMMOGRAM)

    def take(event):
        if event.request.AffectedSOPInstanceUID == bad:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        received.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    sent = send_files(Peer("PEER", "127.0.0.1", server.socket.getsockname()[1]), paths, patience=QUICK)
    end(entity, server)
    assert sent.files == [paths[0], paths[2]]
    assert "no answer in time, or the connection was lost" in sent.failures[paths[1]]
    assert len(received) == 3


def test_pixels_of_odd_length_are_made_even(write_dicom, tmp_path, store):
    path = write_dicom(tmp_path / "odd.dcm", np.zeros((9, 9), np.uint8))
    dataset = pydicom.dcmread(path)
    dataset.PixelData = bytes(range(81))
    dataset.save_as(path)
    with store("PEER", [MAMMOGRAM]) as (port, received):
        assert send_files(Peer("PEER", "127.0.0.1", port), [path], patience=QUICK).failures == {}
    there = pydicom.dcmread(io.BytesIO(received[0]))
    assert there.PixelData == bytes(range(81)) + b"\0"


def test_a_peer_that_refuses_says_why(films, store):
    paths = films(1)
    with store("PEER", [MAMMOGRAM], calling=["OTHER"]) as (port, _):
        with pytest.raises(PeerError, match=r"association: Calling AE title not recognised.*FLEXUNET"):
            send_files(Peer("PEER", "127.0.0.1", port), paths, patience=QUICK)
        with pytest.raises(PeerError, match="Called AE title not recognised"):
            send_files(Peer("ELSE", "127.0.0.1", port), paths, title="OTHER", patience=QUICK)
        with pytest.raises(PeerError, match="accepts nothing of what is offered"):
            echo(Peer("PEER", "127.0.0.1", port), title="OTHER", patience=QUICK)


def test_a_peer_that_hangs_or_is_not_there_is_given_up(films, silent_port):
    paths = films(1)
    patience = Patience(seconds=0.3, retries=1, pause=0.01)
    with pytest.raises(PeerError, match=r"cannot be reached, or does not answer .*2 attempts of up to 0.3 s"):
        send_files(Peer("PEER", "127.0.0.1", silent_port), paths, patience=patience)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(PeerError, match="cannot be reached"):
        send_files(Peer("PEER", "127.0.0.1", port), paths, patience=patience)


def test_folders_are_searched_and_other_files_left_out(films, tmp_path):
    paths = films(2)
    (tmp_path / "films" / "notes.txt").write_text("none")
    assert find_files([tmp_path / "films"]) == paths
    with pytest.raises(PathError, match="does not exist"):
        find_files([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(PathError, match="no DICOM file"):
        find_files([tmp_path / "empty"])
