"""The one image of a request, out of what clients send."""

import asyncio
import os
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.serve.problems import ProblemError
from flexunet.serve.upload import as_file, image_of, read_body


async def chunks(*parts, pause=0.0):
    for part in parts:
        await asyncio.sleep(pause)
        yield part


def read(headers, *parts, most=10, seconds=60.0, pause=0.0):
    return asyncio.run(read_body(headers, chunks(*parts, pause=pause), most, seconds))


def test_a_body_is_read_up_to_the_limit():
    assert read({}, b"12345", b"67890") == b"1234567890"
    with pytest.raises(ProblemError, match="larger than 10 bytes") as problem:
        read({}, b"12345", b"67890", b"1")
    assert problem.value.status == 413


def test_an_announced_size_is_refused_before_anything_is_read():
    async def never():
        raise AssertionError("read")
        yield b""

    with pytest.raises(ProblemError) as problem:
        asyncio.run(read_body({"content-length": "11"}, never(), 10, 60))
    assert problem.value.status == 413


def test_a_body_that_dawdles_is_given_up():
    with pytest.raises(ProblemError) as problem:
        read({}, b"1", b"2", seconds=0.01, pause=30)
    assert problem.value.status == 408


def form(content, name="a.png"):
    request = httpx.Request("POST", "http://x", files={"image": (name, content)})
    return request.headers["content-type"], request.read()


@given(st.binary(min_size=1, max_size=300), st.text(min_size=1, max_size=20))
def test_a_form_gives_back_its_file(content, name):
    assert image_of(*form(content, name), 300) == content


@given(st.binary(max_size=200))
def test_a_damaged_form_is_a_problem_and_never_another_error(body):
    with suppress(ProblemError):
        image_of("multipart/form-data; boundary=x", b"--x\r\n" + body, 100)


def test_a_file_of_a_form_has_the_limit_too():
    assert image_of(*form(b"1234"), 4) == b"1234"
    with pytest.raises(ProblemError) as problem:
        image_of(*form(b"12345"), 4)
    assert problem.value.status == 413
    with pytest.raises(ProblemError, match="an empty file"):
        image_of(*form(b""), 4)


def test_a_form_that_was_cut_short_is_a_problem():
    kind, body = form(b"1234")
    with pytest.raises(ProblemError, match="before its last boundary"):
        image_of(kind, body[:-8], 4)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_file_for_readers_is_gone_afterwards(in_memory, tmp_path, monkeypatch):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    elif not hasattr(os, "memfd_create"):
        pytest.skip("files in memory are a thing of Linux")
    with as_file(b"content") as path:
        assert path.read_bytes() == b"content"
        assert path.suffix == ""
        assert len(list(tmp_path.iterdir())) == (0 if in_memory else 1)
        if not in_memory and os.name != "nt":
            assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []
