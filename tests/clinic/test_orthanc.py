"""Round trips through a real archive: with a listener that is killed, and by DICOMweb."""

import json

import pydicom
import pytest

from flexunet.clinic.associations import echo
from flexunet.clinic.peers import Patience, parse_peer
from flexunet.clinic.send import send_files
from flexunet.clinic.web import fetch_from_web, send_to_web
from flexunet.errors import ConfigError, PeerError

QUICK = Patience(seconds=20, retries=1, pause=0.01)


@pytest.mark.slow
def test_no_accepted_image_is_lost_where_the_listener_is_killed(
    orthanc, listener_port, films, start_station, tmp_path
):
    paths = films(4)
    archive = parse_peer(orthanc.peer)
    echo(archive, patience=QUICK)
    sent = send_files(archive, paths, patience=QUICK, commit=True, commit_port=listener_port)
    sources = {pydicom.dcmread(path).SOPInstanceUID for path in paths}
    assert (sent.failures, sent.commitment.kept, sent.commitment.missing) == ({}, sources, {})

    options = ("--allow", "ORTHANC", "--forward", orthanc.peer)
    station = start_station(tmp_path / "station", listener_port, *options)
    stored = orthanc.ask("/modalities/flexunet/store", json.dumps(orthanc.ask("/instances")))
    assert (stored["InstancesCount"], stored["FailedInstancesCount"]) == (4, 0)
    station.wait_for("predicted")
    station.kill()
    accepted = {path.stem for path in (tmp_path / "station" / "accepted").glob("*/*.dcm")}
    assert accepted == sources

    station = start_station(tmp_path / "station", listener_port, *options)
    station.wait_for("nothing is waiting")
    assert station.stop() == 143
    reports = orthanc.find("SR")
    assert len(reports) == len(orthanc.find("SEG")) == 4
    fetched = fetch_from_web(orthanc.web, tmp_path / "fetched", filters={"Modality": "SR"}, patience=QUICK)
    assert {pydicom.dcmread(path).StudyInstanceUID for path in fetched} == {"1.2.3.1", "1.2.3.2"}
    journal = (tmp_path / "station" / "station.jsonl").read_text().splitlines()
    assert sorted({json.loads(line)["step"] for line in journal}) == ["predicted", "sent"]


def test_dicomweb_round_trip(orthanc, films, tmp_path):
    paths = films(3)
    sent = send_to_web(orthanc.web, paths, patience=QUICK)
    assert (sent.files, sent.failures) == (paths, {})
    wanted = {"StudyInstanceUID": "1.2.3.1", "Modality": "MG"}
    fetched = fetch_from_web(orthanc.web, tmp_path / "out", filters=wanted, patience=QUICK)
    assert sorted(path.name for path in fetched) == ["1.2.3.1.7.0.dcm", "1.2.3.1.7.2.dcm"]
    for path, source in zip(sorted(fetched), (paths[0], paths[2]), strict=True):
        assert pydicom.dcmread(path).PixelData == pydicom.dcmread(source).PixelData
    written = [path.stat().st_mtime_ns for path in fetched]
    again = fetch_from_web(orthanc.web, tmp_path / "out", filters=wanted, patience=QUICK)
    assert [path.stat().st_mtime_ns for path in again] == written


def test_a_service_that_is_not_there_or_refuses_is_said(orthanc, films, silent_port, tmp_path):
    paths = films(1)
    once = Patience(seconds=0.3, retries=0, pause=0.01)
    nowhere = f"http://127.0.0.1:{orthanc.http}/none"
    with pytest.raises(PeerError, match="status 404"):
        fetch_from_web(nowhere, tmp_path, filters={"Modality": "MG"}, patience=once)
    with pytest.raises(PeerError, match="does not answer in time"):
        send_to_web(f"http://127.0.0.1:{silent_port}/dicom-web", paths, patience=once)
    with pytest.raises(PeerError, match="cannot be reached"):
        send_to_web("http://127.0.0.1:9/dicom-web", paths, patience=once)
    with pytest.raises(ConfigError, match="expected the address of a DICOMweb service"):
        send_to_web("orthanc/dicom-web", paths)
