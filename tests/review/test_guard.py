"""Who may ask, and from where; what the page may do; which files can be reached."""

import http.client
import json
from contextlib import closing

import httpx
import pytest

from flexunet.errors import PathError
from flexunet.review.sources.folders import folder_entries
from flexunet.review.sources.inside import find_inside

from .conftest import TOKEN, write_folder


@pytest.fixture
def stranger(address):
    with httpx.Client(base_url=address, trust_env=False) as client:
        yield client


def test_a_stranger_sees_nothing(stranger):
    for path in (
        "/api/session",
        "/api/queue",
        "/api/items/1",
        "/api/items/1/mask",
        "/api/openapi.json",
        "/api/x",
    ):
        answer = stranger.get(path)
        assert answer.status_code == 401, path
        assert "no session" in answer.json()["error"]
    answer = stranger.post("/api/items/1/strokes", json={})
    assert answer.status_code == 401
    assert stranger.get("/api/items/1/tiles/0/0/0").status_code == 401
    for token in ("", "x", TOKEN[:-1], TOKEN + "x", "\u00e9"):
        assert stranger.get("/", params={"token": token}).status_code != 303
    assert not stranger.cookies
    assert stranger.get("/api/session", headers={"Cookie": "desk_session=" + "a" * 43}).status_code == 401


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert TOKEN not in answer.headers["set-cookie"]
    assert stranger.get("/api/session").status_code == 200


def test_a_change_needs_the_token_against_forgery(reader):
    form = {"base_version": 0, "box": {"x": 0, "y": 0, "width": 1, "height": 1}, "runs": [1, 1]}
    for headers in ({}, {"X-Desk-CSRF": "x"}, {"X-Desk-CSRF": ""}):
        answer = reader.client.post("/api/items/1/strokes", json=form, headers=headers)
        assert answer.status_code == 403
        assert "X-Desk-CSRF" in answer.json()["error"]
    assert reader.get("/api/items/1")["mask"]["version"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "["}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_requests_from_elsewhere_are_not_answered(reader, headers, status):
    assert reader.client.get("/api/session", headers=headers).status_code == status


def test_what_is_too_large_or_of_another_kind_is_refused(reader):
    headers = {"X-Desk-CSRF": reader.csrf}

    def post(content, **further):
        path = "/api/items/1/strokes"
        return reader.client.post(path, content=content, headers={**headers, **further}).status_code

    assert post(b"{}", **{"Content-Type": "text/plain"}) == 415
    assert post(b"{}", **{"Content-Type": "application/x-www-form-urlencoded"}) == 415
    assert post(iter([b"{}"]), **{"Content-Type": "application/json"}) == 411
    assert post(b"{", **{"Content-Type": "application/json"}) == 422
    # The length alone is looked at: nothing of the body is waited for.
    host, _, port = reader.address.removeprefix("http://").partition(":")
    with closing(http.client.HTTPConnection(host, int(port))) as connection:
        connection.putrequest("POST", "/api/items/1/strokes")
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders()
        assert connection.getresponse().status == 413
    deep = b"[" * 100_000
    assert post(deep, **{"Content-Type": "application/json"}) == 400


def test_every_answer_has_the_headers_of_a_guarded_page(reader):
    for path in ("/api/session", "/api/items/1/mask", "/api/nothing", "/", "/nothing"):
        headers = reader.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
    assert reader.client.get("/api/session").headers["cache-control"] == "no-store"


def test_errors_tell_no_secret_and_are_json(reader):
    for path in ("/api/items/999", "/api/items/x", "/api/queue?order=x", "/api/queue?limit=0", "/api/no"):
        answer = reader.client.get(path)
        assert answer.status_code in (404, 422)
        assert set(answer.json()) == {"error"}
    assert reader.client.delete("/api/items/1", headers={"X-Desk-CSRF": reader.csrf}).status_code == 405


def test_the_interface_describes_itself(reader):
    described = reader.get("/api/openapi.json")
    assert "/api/items/{number}/strokes" in described["paths"]
    json.dumps(described)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "..\\x",
        "C:/x",
        "c:x",
        "con",
        "a/NUL.txt",
        "COM1",
        "a.png:stream",
        "a\0b",
        "a ",
        "a./b",
        "//host/share",
        "link/secret",
        "linked.txt",
    ],
)
def test_paths_stay_inside(tmp_path, text):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "linked.txt").symlink_to(tmp_path / "outside" / "secret")
    with pytest.raises(PathError, match="inside the folder"):
        find_inside(root, text)


def test_a_path_inside_is_taken(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b c.png").write_text("x")
    (tmp_path / "near").symlink_to(tmp_path / "a")
    assert find_inside(tmp_path, "a/b c.png") == tmp_path / "a" / "b c.png"
    assert find_inside(tmp_path, "near/b c.png").read_text() == "x"


def test_images_that_are_links_out_of_the_folder_are_left_out(tmp_path):
    write_folder(tmp_path / "elsewhere", names=("x", "y"), masks=("x", "y"))
    root = write_folder(tmp_path / "films", names=("a",), masks=())
    (root / "images" / "x.png").symlink_to(tmp_path / "elsewhere" / "images" / "x.png")
    (root / "masks").mkdir()
    (root / "masks" / "a.png").symlink_to(tmp_path / "elsewhere" / "masks" / "x.png")
    entries, notes = folder_entries(root)
    assert [entry.key for entry in entries] == ["images/a.png"]
    assert entries[0].mask is None
    assert len(notes) == 1
    assert "images/x.png is left out" in notes[0]


def test_nothing_of_a_request_names_a_file(address, sign_in, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    reader = sign_in(address)
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/static/../../secret.txt"):
        request = httpx.Request("GET", f"{address}{path}", extensions={"target": path.encode()})
        request.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in reader.client.cookies.items())
        answer = reader.client.send(request)
        assert answer.status_code in (401, 404, 405)
        assert "secret" not in answer.text
