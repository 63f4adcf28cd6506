import errno
import os
import re
import subprocess
import sys
import time

import pytest

from flexunet.errors import PathError
from flexunet.files import (
    explaining,
    impostor,
    renew_page,
    replacing,
    sweep,
    with_tables,
    write_bytes,
    write_text,
)


def write_half(path):
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("half way")


def write_half_folder(path):
    with replacing(path) as temporary:
        temporary.mkdir()
        write_bytes(temporary / "one", b"1")
        raise RuntimeError("half way")


def test_a_file_appears_whole_in_a_new_folder(tmp_path):
    write_text(tmp_path / "a" / "b" / "file.txt", "grün\n")
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == "grün\n".encode()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file.txt"]


def test_what_was_there_stays_if_writing_fails(tmp_path):
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_the_suffix_and_is_hidden(tmp_path):
    with replacing(tmp_path / "picture.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert (tmp_path / "picture.png").read_bytes() == b"x"


def test_a_folder_appears_whole_too(tmp_path):
    with replacing(tmp_path / "run") as temporary:
        temporary.mkdir()
        (temporary / "one").write_text("1")
    assert (tmp_path / "run" / "one").read_text() == "1"


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="half way"):
        write_half_folder(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_should_be_is_explained(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PathError, match="part of its path is a file"):
        write_text(tmp_path / "file" / "inner.txt", "y")


def test_a_folder_where_the_file_should_be_is_explained(tmp_path):
    (tmp_path / "name").mkdir()
    with pytest.raises(PathError, match="a folder has that name"):
        write_text(tmp_path / "name", "y")


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "denied")],
)
def test_refusals_of_the_system_are_explained(code, message):
    with pytest.raises(PathError, match=message), explaining("x.png"):
        raise OSError(code, "as the system words it")


def test_other_failures_are_left_alone():
    with pytest.raises(OSError, match="cable"), explaining("x.png"):
        raise OSError(errno.EIO, "cable")


def test_what_a_killed_process_left_is_swept(tmp_path, left_by_a_killed_process):
    direct = left_by_a_killed_process(tmp_path / "mask.png")
    below = left_by_a_killed_process(tmp_path / "a" / "乳房表示.png")
    sweep(tmp_path)
    assert not direct.exists()
    assert below.exists()
    sweep(tmp_path, below=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    code = (
        "import sys; from flexunet.files import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'whole'); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "theirs.txt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        with replacing(tmp_path / "ours.txt") as temporary:
            temporary.write_text("whole")
            sweep(tmp_path, alone=True)
        process.communicate("\n")
    assert process.returncode == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "theirs.txt": "whole",
        "ours.txt": "whole",
    }


@pytest.mark.parametrize("name", [".report.0123456789ab.partial.html", ".x.0badcafe-17-01234567.partial.png"])
def test_what_others_may_be_writing_is_swept_after_an_hour_or_under_a_lock(tmp_path, name):
    path = tmp_path / name
    for seconds, how, left in [(0, {}, True), (4000, {}, False), (0, {"alone": True}, False)]:
        path.write_text("half")
        os.utime(path, (time.time(), time.time() - seconds))
        sweep(tmp_path, **how)
        assert path.exists() is left


@pytest.mark.parametrize(
    "name",
    [".notes.partial", "mask.0123456789ab.partial.png", ".a.partial.png", ".a.0123456789abc.partial.png"],
)
def test_files_of_others_are_not_swept(tmp_path, name):
    (tmp_path / name).write_text("mine")
    (tmp_path / ".split.0123456789ab.partial").mkdir()  # a split that can go on
    sweep(tmp_path, alone=True, below=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_long_names_in_any_script_are_written(tmp_path):
    path = tmp_path / ("乳" * 80 + ".png")  # 244 bytes, of 255
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 90405214\n"
PAGE = b"\n<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, r"it is a Git-LFS pointer \(133 bytes\), not the file itself: run `git lfs pull`"),
        (PAGE, r"it is a web page \(90 bytes\), saved in place of the file: download it again"),
        (b"\xef\xbb\xbf<html>", r"it is a web page \(9 bytes\).*"),
        (b"\x89HDF\r\n\x1a\n", ""),
        (b"", ""),
    ],
)
def test_what_stands_in_place_of_a_file_is_told(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    assert re.fullmatch(said, impostor(tmp_path / "file"))
    assert impostor(tmp_path / "missing") == ""


def test_tables_of_a_page_are_made_anew_and_the_rest_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Größen\n<!-- from -->\n\n| old |\n\n<!-- to -->\nAfter.\n", encoding="utf-8")
    renew_page(page, lambda text: with_tables(text, "<!-- from -->", "<!-- to -->", "| new |"))
    renewed = "# Größen\n<!-- from -->\n\n| new |\n\n<!-- to -->\nAfter.\n"
    assert page.read_bytes() == renewed.encode()
    assert with_tables(renewed, "<!-- from -->", "<!-- to -->", "| new |") == renewed


@pytest.mark.parametrize("lines", ["", "<!-- from -->", "<!-- to -->", "<!-- to -->\n<!-- from -->"])
def test_a_page_without_a_place_for_tables_stays_as_it_is(tmp_path, lines):
    page = tmp_path / "page.md"
    page.write_text(lines)
    with pytest.raises(ValueError, match="the page needs the lines '<!-- from -->' and '<!-- to -->'"):
        renew_page(page, lambda text: with_tables(text, "<!-- from -->", "<!-- to -->", "| new |"))
    assert page.read_text() == lines
