"""Who may reach the service, decided before a model is loaded."""

import socket
import subprocess
import sys

import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError, PathError
from flexunet.serve.server import Service, is_loopback, read_token, serve

from .conftest import TOKEN


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("FLEXUNET_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_loopback_wants_no_token_and_everything_else_does(host, loopback):
    assert is_loopback(host) == loopback
    if loopback:
        assert Service(host=host).token is None
    else:
        with pytest.raises(ConfigError, match="FLEXUNET_TOKEN"):
            Service(host=host)


def test_the_token_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEXUNET_TOKEN", TOKEN)
    assert Service(host="192.168.1.2").token == TOKEN
    assert TOKEN not in repr(Service())
    (tmp_path / "token").write_text(f"{TOKEN}-of-the-file\n")
    assert read_token(tmp_path / "token") == f"{TOKEN}-of-the-file"
    with pytest.raises(PathError, match="--token-file"):
        read_token(tmp_path / "missing")


@pytest.mark.parametrize(
    "token", ["", "short", "with spaces in between it", "ümlaut-ümlaut-ümlaut", "a" * 15]
)
def test_a_token_that_is_weak_or_cannot_be_sent_is_refused(token, monkeypatch):
    monkeypatch.setenv("FLEXUNET_TOKEN", token)
    with pytest.raises(ConfigError, match="at least 16"):
        Service()


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PathError, match=f"port {port}.*--port"):
            serve(Config(), Service(port=port), announce=pytest.fail)


def test_the_command_refuses_to_be_open_without_a_token(tmp_path):
    (tmp_path / "c.toml").write_text("")
    command = [sys.executable, "-m", "flexunet", "serve", str(tmp_path / "c.toml"), "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "wants a token" in done.stderr
    assert "Traceback" not in done.stderr
