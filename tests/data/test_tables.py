"""Tables in the encodings that spreadsheets write, and those that would be read as other words."""

import csv
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flexunet
from flexunet.data.tables import read_own_rows, read_rows, shield, unshield, write_rows
from flexunet.errors import DatasetError

TEXT = "image,patient\na,Müller\nb,José\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_western_tables_are_read(tmp_path, encoding, separator):
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT.replace(",", separator).encode(encoding))
    names, rows = read_rows(path)
    assert names == ["image", "patient"]
    assert [row["patient"] for row in rows] == ["Müller", "José"]


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "山田 太郎"), ("gbk", "张晓东"), ("euc_kr", "홍길동")]
)
def test_another_code_page_is_refused_and_never_read_as_other_words(tmp_path, encoding, name):
    path = tmp_path / "t.csv"
    path.write_bytes(f"image,patient\na,{name}\n".encode(encoding))
    with pytest.raises(DatasetError, match=r"t\.csv is in the encoding of another language.*UTF-8"):
        read_rows(path)


# Text that can be in a file: no halves of characters outside the first plane.
CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.builds(
    "".join, st.lists(st.sampled_from(["'", "=", "+", "-", "@", "\t", "\r", "\n", ",", '"', "1", "e", " "]))
)


@given(st.lists(CELLS, min_size=1, max_size=4).flatmap(lambda names: st.tuples(
    st.just(names), st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=4)
)))  # fmt: skip
def test_what_is_written_is_read_back_and_no_cell_is_run(tmp_path_factory, table):
    names, rows = table
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_rows(path, names, rows)
    assert read_own_rows(path) == (names, rows)
    with path.open(newline="", encoding="utf-8") as stream:
        for cell in itertools.chain(*csv.reader(stream)):
            assert cell[:1] not in ("=", "@", "\t", "\r")
            assert cell[:1] not in ("+", "-") or float(cell) == float(cell)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("-x.png", "'-x.png"),
        ("@sum", "'@sum"),
        ("＝1+1", "'＝1+1"),
        ("'=1", "''=1"),
        ("-1.5e-3", "-1.5e-3"),
        ("+49", "+49"),
        ("--1", "'--1"),
        ("-1_0", "'-1_0"),
        ("L'Aquila", "L'Aquila"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_cells_that_a_spreadsheet_would_run_begin_with_an_apostrophe(cell, written):
    assert shield(cell) == written
    assert unshield(written) == cell


def test_numbers_that_are_no_text_stay_numbers(tmp_path):
    write_rows(tmp_path / "t.csv", ["a", "b", "c"], [[-1.5, None, -3]])
    assert (tmp_path / "t.csv").read_text() == "a,b,c\n-1.5,,-3\n"


def test_tables_of_older_versions_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("file,=column\n=x.png,-y\n\n'a,''\n", encoding="utf-8-sig")
    assert read_own_rows(tmp_path / "t.csv") == (["file", "=column"], [["=x.png", "-y"], ["'a", "''"]])
    assert read_rows(tmp_path / "t.csv")[1][0] == {"file": "=x.png", "=column": "-y"}


def test_a_table_of_ours_is_read_as_a_table_of_others(tmp_path):
    write_rows(tmp_path / "t.csv", ["file", "=column"], [["=x.png", "@y"]])
    assert read_rows(tmp_path / "t.csv") == (["file", "=column"], [{"file": "=x.png", "=column": "@y"}])


def test_no_other_module_writes_csv():
    source = Path(flexunet.__file__).parent
    writers = [
        path
        for path in source.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))
    ]
    assert writers == [source / "data" / "tables.py"]
