"""A desk that several people use: signing in, roles, the audit log, TLS, and who may listen where."""

import os
import re
import ssl
import subprocess
import sys

import httpx
import pytest

from flexunet.errors import ConfigError
from flexunet.review.store.tables import Account
from flexunet.review.web.accounts import Accounts
from flexunet.review.web.server import Service
from flexunet.review.web.sessions import check_name

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(desk):
    accounts = Accounts(desk.database)
    for role in ("reader", "reviewer", "admin"):
        accounts.put(f"the {role}", role, PASSWORD)
    return accounts


@pytest.fixture
def guarded(serve_desk, desk, accounts):
    return serve_desk(desk, token=None)


@pytest.fixture
def enter(guarded, sign_in):
    """Sign in by name: `enter("the admin")`."""

    def enter(name, password=PASSWORD):
        reader = sign_in(guarded, token=None)
        answer = reader.client.post("/api/login", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        reader.csrf = reader.get("/api/session")["csrf"]
        return reader

    return enter


def test_a_password_opens_a_session_that_signing_out_ends(enter, desk):
    reader = enter("the reader")
    assert reader.get("/api/session")["role"] == "reader"
    cookies = dict(reader.client.cookies)
    reader.post("/api/logout", {})
    (name, value), *_ = cookies.items()
    answer = httpx.get(f"{reader.address}/api/session", cookies={name: value}, trust_env=False)
    assert answer.status_code == 401
    assert "sign in" in answer.json()["error"]
    with desk.database.read() as session:
        stored = session.get(Account, "the reader").password
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


def test_wrong_passwords_are_refused_and_then_wait(guarded, sign_in):
    reader = sign_in(guarded, token=None)

    def attempt(name, password):
        answer = reader.client.post("/api/login", json={"name": name, "password": password})
        return answer.status_code, answer.json().get("error", "")

    unknown = attempt("nobody", PASSWORD)
    assert unknown == attempt("the reader", "wrong") == (401, "name or password are wrong.")
    for _ in range(4):
        assert attempt("the reader", "wrong")[0] == 401
    assert attempt("the reader", PASSWORD)[0] == 429
    assert attempt("the reviewer", PASSWORD)[0] == 200
    assert reader.client.get("/", params={"token": "None"}).status_code == 401
    assert reader.client.post("/api/login", data={"name": "the admin"}).status_code == 415


def test_roles_may_what_they_may(enter):
    reader, reviewer, admin = (enter(f"the {role}") for role in ("reader", "reviewer", "admin"))
    number = reader.numbers()["images/a.png"]
    reader.draw(number, 0, 0, 0, 2, 2)
    reader.post(f"/api/items/{number}/verdict", {"verdict": "accept", "seconds": 1, "base_version": 1})
    assert reader.post("/api/export", {"target": "csv"}, 403)["error"].endswith("yours is reader.")
    assert reader.client.get("/api/decisions.csv").status_code == 403
    assert reviewer.post("/api/export", {"target": "csv"})["files"] == ["decisions.csv"]
    form = {"name": "new", "role": "admin", "password": PASSWORD}
    for without in (reader, reviewer):
        assert without.client.get("/api/accounts").status_code == 403
        assert without.client.get("/api/events").status_code == 403
        without.put("/api/accounts", form, 403)
    admin.put("/api/accounts", form)
    assert [each["name"] for each in admin.get("/api/accounts")] == [
        "new", "the admin", "the reader", "the reviewer"
    ]  # fmt: skip
    assert "password" not in admin.get("/api/accounts")[0]
    events = admin.get("/api/events")
    told = [(event["reader"], event["action"]) for event in reversed(events)]
    assert told == [
        ("the reader", "sign in"), ("the reviewer", "sign in"), ("the admin", "sign in"),
        ("the reader", "verdict"), ("the reviewer", "export"), ("the admin", "account"),
    ]  # fmt: skip
    assert [event["id"] for event in admin.get("/api/events", limit=2, before=events[0]["id"])] == [
        events[1]["id"], events[2]["id"]
    ]  # fmt: skip


def test_a_disabled_account_is_out_at_once(enter):
    admin, reader = enter("the admin"), enter("the reader")
    answer = admin.client.delete("/api/accounts/the reader", headers={"X-Desk-CSRF": admin.csrf})
    assert answer.status_code == 200
    assert reader.client.get("/api/session").status_code == 401
    answer = reader.client.post("/api/login", json={"name": "the reader", "password": PASSWORD})
    assert answer.status_code == 401
    admin.put("/api/accounts", {"name": "the reader", "role": "reviewer", "password": PASSWORD + "!"})
    assert enter("the reader", PASSWORD + "!").get("/api/session")["role"] == "reviewer"


@pytest.mark.parametrize("name", ["", " a", "a/b", "..", "../x", "a\\b", "a^b", "a\n", "x" * 65, "_a"])
def test_names_that_could_mean_something_else_are_refused(accounts, name):
    with pytest.raises(ConfigError, match="expected a name"):
        accounts.put(name, "reader", PASSWORD)
    with pytest.raises(ConfigError, match="expected a name"):
        Service(reader=name)


def test_accounts_that_cannot_be_are_refused(accounts):
    assert check_name("Dr. Ann-Marie O'Neil 2") == "Dr. Ann-Marie O'Neil 2"
    with pytest.raises(ConfigError, match="at least 10"):
        accounts.put("a", "reader", "short")
    with pytest.raises(ConfigError, match="role"):
        accounts.put("a", "root", PASSWORD)


def test_others_reach_the_desk_by_signing_in_alone(tmp_path):
    for host in ("0.0.0.0", "192.0.2.7", "::", "desk.example"):
        with pytest.raises(ConfigError, match="--accounts"):
            Service(host=host)
        assert Service(host=host, accounts=True).notes
    for host in ("127.0.0.1", "::1", "localhost"):
        assert not Service(host=host).notes
    with pytest.raises(ConfigError, match="belong together"):
        Service(certificate=tmp_path / "cert.pem")
    with pytest.raises(ConfigError, match="no file"):
        Service(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")


@pytest.fixture
def certificate(tmp_path):
    """A certificate of this machine, signed by itself."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is missing")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_the_command_serves_accounts_over_tls(folder, certificate, tmp_path):
    command = [sys.executable, "-m", "flexunet", "review", str(folder)]
    refused = subprocess.run([*command, "--accounts"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--add-account" in refused.stderr
    added = subprocess.run(
        [*command, "--add-account", "ann:admin"],
        input=f"{PASSWORD}\n{PASSWORD}\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    options = ["--accounts", "--no-browser", "--tls-cert", certificate[0], "--tls-key", certificate[1]]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        try:
            address = re.search(r"at (https://127\.0\.0\.1:\d+)/", process.stdout.readline()).group(1)
            context = ssl.create_default_context(cafile=str(certificate[0]))
            with httpx.Client(base_url=address, verify=context, trust_env=False) as client:
                answer = client.post("/api/login", json={"name": "ann", "password": PASSWORD})
                assert answer.status_code == 200
                assert answer.headers["set-cookie"].endswith("; Secure")
                assert client.get("/api/session").json()["reader"] == "ann"
        finally:
            process.terminate()
    assert process.returncode == 0
