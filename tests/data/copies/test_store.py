import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from flexunet.data.copies import candidates, words
from flexunet.data.copies.candidates import find_candidates
from flexunet.data.copies.find import find_copies_of_files
from flexunet.data.copies.fingerprint_file import FingerprintFile
from flexunet.data.copies.fingerprints import Fingerprint
from flexunet.data.copies.store import FingerprintStore
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.draw import draw_phantom


def some_fingerprint(seed, features=20):
    rng = np.random.default_rng(seed)
    points = rng.random((features, 2)).astype(np.float32)
    return Fingerprint(points, rng.integers(256, size=(features, 128), dtype=np.uint8))


def equal(first, second):
    return np.array_equal(first.points, second.points) and np.array_equal(
        first.descriptors, second.descriptors
    )


def test_a_file_of_fingerprints_gives_each_as_it_was():
    prints = [some_fingerprint(seed, seed * 7) for seed in range(5)]
    with FingerprintFile(prints[:2]) as file:
        assert equal(file[1], prints[1])
        for one in prints[2:]:
            file.add(one)
        file.release()
        assert [equal(*both) for both in zip(file, prints, strict=True)] == [True] * 5
        assert file.starts.tolist() == [0, 0, 7, 21, 42, 70]
        assert equal(file[-1], prints[-1])
        with pytest.raises(IndexError):
            file[5]


@pytest.fixture
def hasty_threads():
    """Threads that give way to each other as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_fingerprints_are_read_in_threads():
    prints = [some_fingerprint(seed, seed % 9 + 1) for seed in range(200)]
    with FingerprintFile(prints) as file, ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            read = pool.map(file.__getitem__, range(200))
            assert all(equal(*both) for both in zip(read, prints, strict=True))


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\0" + b"x" * 2000])
def test_a_store_keeps_what_it_is_given_whatever_its_file_was_before(tmp_path, content):
    path = tmp_path / "deep" / "store.sqlite"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    with FingerprintStore(path) as store:
        assert store.find("a") is None
        store.keep("a", some_fingerprint(1))
        store.keep_pairs(["a", "b"], [[0, 1, 20, 30, 0.5, False]])
    with FingerprintStore(path) as store:
        assert equal(store.find("a"), some_fingerprint(1))
        assert store.find_pairs(["a", "b"]) == [[0, 1, 20, 30, 0.5, False]]
        assert store.find_pairs(["b", "a"]) is None


def test_a_store_of_another_form_is_begun_anew(tmp_path):
    path = tmp_path / "store.sqlite"
    with FingerprintStore(path) as store:
        store.keep("a", some_fingerprint(1))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with FingerprintStore(path) as store:
        assert store.find("a") is None


def test_a_store_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    with FingerprintStore(tmp_path / "file" / "store.sqlite") as store:
        store.keep("a", some_fingerprint(1))
        assert store.find("a") is None


def test_files_seen_before_are_not_decoded_again(tmp_path, monkeypatch):
    films = [draw_phantom(seed, width=160, height=160).image for seed in range(3)]
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path, film in zip(paths, [*films, films[1][:, ::-1]], strict=True):
        write_image(path, film)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = find_copies_of_files(paths)
    assert first == [(1, 3)]

    def refuse(*_):
        raise AssertionError("it was decoded again")

    monkeypatch.setattr("flexunet.data.copies.find.read_image", refuse)
    monkeypatch.setattr("flexunet.data.copies.find.find_copies", refuse)
    assert sorted(find_copies_of_files(paths)) == sorted(first)
    # In another order they are the same pictures.
    again = find_copies_of_files(paths[::-1])
    assert sorted(tuple(sorted((3 - a, 3 - b))) for a, b in again) == sorted(first)


def families(count, size=4, features=40):
    """Fingerprints in families, whose members have nearly the same features."""
    rng = np.random.default_rng(5)
    prints = []
    for _ in range(count):
        base = rng.integers(256, size=(features, 128))
        for _ in range(size):
            noisy = np.clip(base + rng.integers(-12, 13, size=base.shape), 0, 255).astype(np.uint8)
            prints.append(Fingerprint(rng.random((features, 2)).astype(np.float32), noisy))
    return prints


@pytest.mark.parametrize("known", [0, 6])
@pytest.mark.parametrize("block", [5, 512])
@pytest.mark.parametrize("most", [2, 2048])
def test_members_of_a_family_are_candidates_in_blocks_and_in_a_tree_of_words(monkeypatch, block, most, known):
    monkeypatch.setattr(candidates, "_BLOCK", block)
    monkeypatch.setattr(words, "MOST_IN_ONE_LEVEL", most)
    prints = families(8)
    pairs = {tuple(pair) for pair in find_candidates(prints, known=known).tolist()}
    wanted = {(i, j) for i in range(32) for j in range(i + 1, 32) if i // 4 == j // 4}
    if known:
        wanted = {(i, j) for i, j in wanted if i < known <= j}
        assert all(i < known <= j for i, j in pairs)
    assert wanted <= pairs
