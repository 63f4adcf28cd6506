"""Accepted objects through a tiny model, in this process."""

import json

import pydicom
import pytest

from flexunet.clinic.inbox import Inbox
from flexunet.clinic.send import Sent
from flexunet.clinic.station import Station
from flexunet.config.files import load_config
from flexunet.errors import PeerError
from flexunet.inference.predict.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.load(load_config(run, ["dicom.report=measurements"]))


class Archive:
    """What was sent on, and whether sending works."""

    def __init__(self):
        self.files, self.refuses, self.is_down = [], (), False

    def __call__(self, paths):
        if self.is_down:
            raise PeerError("the archive is down")
        sent = Sent()
        for path in paths:
            if path.name in self.refuses:
                sent.failures[path] = "no room"
            else:
                sent.files.append(path)
        self.files += [path.name for path in sent.files]
        return sent


@pytest.fixture
def archive():
    return Archive()


@pytest.fixture
def station(tmp_path, predictor, archive):
    """A station as it starts: `station()`."""
    return lambda forward=archive: Station(predictor.config, tmp_path / "out", predictor, forward)


@pytest.fixture
def accept(tmp_path):
    """Accept a file, as a listener does."""

    def accept(path, content=None):
        header = pydicom.dcmread(path)
        return Inbox(tmp_path / "out" / "accepted").accept(
            content or path.read_bytes(), header.SOPClassUID, header.SOPInstanceUID, header.StudyInstanceUID
        )

    return accept


def steps(folder):
    lines = (folder / "out" / "station.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_each_step_is_done_once(station, accept, archive, films, tmp_path):
    for path in films(3):
        accept(path)
    assert station().work_off()
    instances = ("1.2.3.1.7.0", "1.2.3.1.7.2", "1.2.3.2.7.1")
    assert sorted(archive.files) == [f"{each}{end}" for each in instances for end in (".dcm", ".report.dcm")]
    assert sorted(steps(tmp_path)) == ["predicted"] * 3 + ["sent"] * 3
    again = station()
    assert again.unfinished() == []
    assert again.work_off()
    assert len(archive.files) == 6


def test_what_an_archive_does_not_take_is_sent_later(station, accept, archive, films, tmp_path):
    first, second, _ = films(3)
    accept(first)
    accept(second)
    archive.is_down = True
    assert not station().work_off()
    assert steps(tmp_path) == ["predicted", "predicted"]
    archive.is_down = False
    archive.refuses = ("1.2.3.1.7.0.report.dcm",)
    restarted = station()
    assert not restarted.work_off()
    assert steps(tmp_path) == ["predicted", "predicted", "sent"]
    archive.refuses = ()
    assert restarted.work_off()
    assert steps(tmp_path).count("sent") == 2


def test_an_image_that_cannot_be_used_holds_up_no_other(station, accept, archive, films, tmp_path):
    good, bad = films(3)[::2]
    dataset = pydicom.dcmread(bad)
    dataset.NumberOfFrames = 2
    dataset.save_as(bad)
    accept(good)
    accept(bad)
    assert station().work_off()
    assert sorted(steps(tmp_path)) == ["predicted", "sent", "unusable"]
    assert station().unfinished() == []
    assert archive.files == ["1.2.3.1.7.0.dcm", "1.2.3.1.7.0.report.dcm"]


def test_another_image_under_the_same_uid_is_predicted_too(station, accept, films, tmp_path):
    path, other = films(3)[::2]
    accept(path)
    assert station(None).work_off()
    changed, uid = pydicom.dcmread(other), pydicom.dcmread(path).SOPInstanceUID
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = uid
    changed.save_as(other)
    accept(other)
    assert len(station(None).unfinished()) == 1
    assert station(None).work_off()
    assert steps(tmp_path) == ["predicted", "predicted"]
