import hashlib
import json
import os

import pytest

from flexunet.data.dataset.digests import Digests, digest_of
from flexunet.errors import PathError

LONG_AGO = 10**18  # 2001, in nanoseconds


def write(path, content, time_ns=LONG_AGO):
    path.write_bytes(content)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def test_digest_is_blake2b_of_the_content(tmp_path):
    path = write(tmp_path / "a", b"abc")
    assert digest_of(path) == hashlib.blake2b(b"abc", digest_size=16).hexdigest()


def test_unchanged_files_are_not_read_again(tmp_path):
    path = write(tmp_path / "a", b"abc")
    index = tmp_path / "index.json"
    first = Digests(index).of([path], 2)
    write(path, b"xyz")  # same size, same time: only a reader of the content could tell
    assert Digests(index).of([path], 2) == first
    write(path, b"xyz", LONG_AGO + 1)
    assert Digests(index).of([path], 2) == [digest_of(path)]


def test_a_file_changed_just_now_is_not_trusted(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    status = path.stat()
    index = tmp_path / "index.json"
    Digests(index).of([path], 1)
    path.write_bytes(b"xyz")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Digests(index).of([path], 1) == [digest_of(path)]


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 1}', '{"a": [1]}', "null"])
def test_a_damaged_index_counts_as_empty(tmp_path, text):
    path = write(tmp_path / "a", b"abc")
    (tmp_path / "index.json").write_text(text)
    assert Digests(tmp_path / "index.json").of([path], 1) == [digest_of(path)]
    assert str(path) in json.loads((tmp_path / "index.json").read_text())


def test_files_that_are_gone_are_forgotten(tmp_path):
    old, new = write(tmp_path / "old", b"1"), write(tmp_path / "new", b"2")
    index = tmp_path / "index.json"
    Digests(index).of([old, new], 1)
    old.unlink()
    Digests(index).of([new], 1)
    assert list(json.loads(index.read_text())) == [str(new)]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PathError, match=r"cannot read .*gone"):
        Digests(tmp_path / "index.json").of([tmp_path / "gone"], 1)
