import pytest

from flexunet.clinic.inbox import Inbox, is_uid
from flexunet.errors import PathError


def test_an_accepted_object_is_there_under_its_uids(tmp_path):
    inbox = Inbox(tmp_path / "accepted")
    accepted = inbox.accept(b"film", "1.2", "1.2.3.4", "1.2.3")
    assert accepted.path == tmp_path / "accepted" / "1.2.3" / "1.2.3.4.dcm"
    assert accepted.path.read_bytes() == b"film"
    assert list(Inbox(tmp_path / "accepted")) == [accepted]
    assert (inbox.class_of("1.2.3.4"), inbox.class_of("1.2.3.5")) == ("1.2", None)
    first = accepted.key
    again = inbox.accept(b"another film", "1.2", "1.2.3.4", "1.2.3")
    assert again.path.read_bytes() == b"another film"
    assert again.key != first
    assert len(list(inbox)) == 1


@pytest.mark.parametrize("uid", ["", "..", "1/2", "1.2.", ".1", "1..2", "a", "1" * 65, "1.2\n", "١.2"])
def test_what_is_no_uid_names_no_file(tmp_path, uid):
    assert not is_uid(uid)
    inbox = Inbox(tmp_path / "accepted")
    for instance, study in ((uid, "1.2"), ("1.2", uid)):
        with pytest.raises(PathError, match="no valid SOPInstanceUID"):
            inbox.accept(b"film", "1.2", instance, study)
    assert inbox.class_of(uid) is None
    assert list(tmp_path.rglob("*.dcm")) == []


def test_what_a_killed_listener_was_writing_is_removed(tmp_path, left_by_a_killed_process):
    left = left_by_a_killed_process(tmp_path / "accepted" / "1.2" / "1.2.3.dcm")
    assert list(Inbox(tmp_path / "accepted")) == []
    assert not left.exists()


def test_a_full_disk_accepts_nothing(tmp_path):
    (tmp_path / "accepted").mkdir()
    (tmp_path / "accepted" / "1.2").write_text("in the way")
    with pytest.raises(PathError, match="part of its path is a file"):
        Inbox(tmp_path / "accepted").accept(b"film", "1.2", "1.2.3", "1.2")
