import pytest

from flexunet.clinic.listen import Listener
from flexunet.clinic.peers import Peer, check_title, parse_peer
from flexunet.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("ORTHANC@127.0.0.1:4242", Peer("ORTHANC", "127.0.0.1", 4242)),
        ("My PACS@pacs.example.org:104", Peer("My PACS", "pacs.example.org", 104)),
        ("A@[::1]:11112", Peer("A", "::1", 11112)),
    ],
)
def test_a_peer_is_title_host_and_port(text, peer):
    assert parse_peer(text) == peer


@pytest.mark.parametrize(
    "text", ["ORTHANC", "A@host", "@host:104", "A@host:0", "A@host:70000", "A@b@c:1", "A@:1"]
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"ORTHANC@127\.0\.0\.1:4242"):
        parse_peer(text)


@pytest.mark.parametrize("title", ["", " ", "A\\B", "A" * 17, "Ärzte", "A\n", " A", "A "])
def test_titles_that_are_none(title):
    with pytest.raises(ConfigError, match="AE title of 1 to 16"):
        check_title(title)


def test_other_machines_need_a_list_of_titles():
    assert Listener(host="127.0.0.1").peers == {}
    assert Listener(host="localhost").peers == {}
    with pytest.raises(ConfigError, match="--allow TITLE"):
        Listener(host="0.0.0.0")
    peers = Listener(host="0.0.0.0", allowed=("MODALITY", "PACS@10.0.0.1:104")).peers
    assert peers == {"MODALITY": None, "PACS": Peer("PACS", "10.0.0.1", 104)}
