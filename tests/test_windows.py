"""What can be tested elsewhere of what Windows does: code pages, Excel, paths, `python -m`."""

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from flexunet.config.files import load_config
from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.data.tables import read_own_rows, read_table, write_rows

# é is not in code page 932; 表 ends in the byte of a backslash there.
NAME = "é 表"
CONSOLES = {
    "a Japanese console": {"PYTHONIOENCODING": "cp932"},
    "a Western console": {"PYTHONIOENCODING": "cp1252"},
    "LANG=C": {"LC_ALL": "C"},
    "LANG=C, and file names as bytes": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows") / NAME
    write_phantom_dataset(folder, patients=3, width=64, height=64)
    return folder


@pytest.mark.parametrize(
    ("console", "options"), [*((name, []) for name in CONSOLES), (list(CONSOLES)[-1], ["--json"])]
)
def test_a_console_that_lacks_letters_shows_escapes(console, options, dataset):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    answer = subprocess.run(
        [sys.executable, "-m", "flexunet", "stats", str(dataset), *options],
        env=environment | CONSOLES[console],
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode("ascii", "replace")
    assert b"Traceback" not in answer.stderr
    if options:
        root = json.loads(answer.stdout.decode("ascii"))["root"]
        assert os.fsencode(root) == os.fsencode(dataset)
    else:
        assert b"train" in answer.stdout


def test_a_table_with_letters_opens_in_excel(tmp_path):
    path = tmp_path / "table.csv"
    write_rows(path, ["image", "reader"], [["film", "Zoé"], ["other", "=1+1"]])
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    assert path.read_text(encoding="utf-8-sig").splitlines()[1] == "film,Zoé"
    assert read_own_rows(path) == (["image", "reader"], [["film", "Zoé"], ["other", "=1+1"]])
    assert read_table(path).columns == ["image", "reader"]


def test_a_table_of_ascii_has_the_bytes_that_it_always_had(tmp_path):
    path = tmp_path / "table.csv"
    write_rows(path, ["image"], [["film"]])
    assert path.read_bytes() == b"image\nfilm\n"


def test_a_manifest_names_files_as_both_systems_write_them(dataset):
    rows = Manifest.read(dataset).rows
    assert all("\\" not in row["file"] for row in rows)
    assert {PureWindowsPath(row["file"]).name for row in rows} == {Path(row["file"]).name for row in rows}


@pytest.mark.parametrize("text", [r"data\train\images", "data/train/images", r".\data\train\..\train\images"])
def test_backslashes_of_a_configuration_are_slashes(text, tmp_path):
    (tmp_path / "some.toml").write_text(f"[train]\nimages_dir = '{text}'\n")
    config = load_config(tmp_path / "some.toml")
    found = config.input_folder("train", "images_dir")
    assert Path(os.path.normpath(found)) == tmp_path / "data/train/images"


def test_names_that_windows_refuses_are_not_written(dataset):
    """No colon, quote, asterisk or end in a dot, and nothing called NUL or CON."""
    paths = [path.relative_to(dataset) for path in dataset.rglob("*")]
    assert paths
    assert [
        path for path in paths if set(path.as_posix()) & set('<>:"|?*') or path.name.endswith((".", " "))
    ] == []
    assert [path for path in paths if path.stem.upper() in {"CON", "NUL", "AUX", "PRN", "COM1"}] == []


def test_a_path_beyond_260_letters_is_read_and_written(tmp_path):
    folder = tmp_path / "/".join(["a long name of a folder of a study"] * 8)
    assert len(str(folder)) > 260
    write_phantom_dataset(folder, patients=3, width=64, height=64)
    pairs = DatasetFolder(folder).pairs("train")
    assert pairs
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "flexunet",
            "audit",
            str(folder),
            "--out",
            str(folder / "audit"),
            "--jobs",
            "1",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert (folder / "audit" / "audit.html").is_file()
