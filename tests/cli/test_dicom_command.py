"""The commands say what is wrong with what they are given, before they load a model."""

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.errors import ConfigError, FlexUNetError, PathError

pytest.importorskip("pynetdicom")


def refusal(*words):
    found = CliRunner().invoke(app, ["dicom", *map(str, words)]).exception
    assert isinstance(found, FlexUNetError), found
    return found


def test_one_destination_is_asked_for(tmp_path):
    assert "give one destination" in str(refusal("send", tmp_path))
    both = refusal("send", tmp_path, "--to", "A@host:104", "--web", "http://127.0.0.1")
    assert isinstance(both, ConfigError)
    assert "--commit is of the DICOM network" in str(
        refusal("send", tmp_path, "--web", "http://127.0.0.1", "--commit")
    )
    assert isinstance(refusal("send", tmp_path / "none", "--to", "A@host:104"), PathError)


def test_what_is_to_be_fetched_must_be_said(tmp_path):
    for where in ([], ["--where", "PatientID"], ["--where", "=P1"]):
        assert "give --where KEYWORD=VALUE" in str(refusal("fetch", "http://127.0.0.1", tmp_path, *where))


def test_a_listener_for_other_machines_wants_titles(tmp_path):
    said = refusal("listen", tmp_path, tmp_path / "out", "--host", "0.0.0.0")
    assert "--allow TITLE" in str(said)
    assert not (tmp_path / "out").exists()
