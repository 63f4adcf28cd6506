"""Tables as spreadsheets and other programs write them, and those that would be read as other words."""

import csv
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flexunet
from flexunet.data.tables import read_own_rows, read_table, shield, unshield, write_rows
from flexunet.errors import DatasetError, PathError

TEXT = "image,patient\na,Müller\nb,José\n"


def read(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    return read_table(path)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_western_tables_are_read(tmp_path, encoding, separator):
    table = read(tmp_path, TEXT.replace(",", separator).encode(encoding))
    assert table.columns == ["image", "patient"]
    assert [row["patient"] for _, row in table.rows] == ["Müller", "José"]
    assert table.separator == separator
    # A guess is said, with a word by which a person can see whether it is right.
    guessed = encoding in ("cp1252", "latin-1")
    note = "is not in UTF-8; it was read as cp1252, 'Müller' for example. Save it as CSV in UTF-8."
    assert table.notes == ([f"{table.path} {note}"] if guessed else [])


@pytest.mark.parametrize("text", ["Léa", "créée à 30 °C", "Ångström, 3 mm²", "25–30 µm", "Þórður", "½"])
def test_western_words_and_signs(tmp_path, text):
    table = read(tmp_path, f'image,note\na,"{text}"\n'.encode("cp1252"))
    assert table.rows == [(2, {"image": "a", "note": text})]


@pytest.mark.parametrize("text", ["山田 太郎", "ﾔﾏﾀﾞ 太郎", "表示 左乳房（MLO）", "マミ", "能登ソ"])
def test_japanese_tables_are_read(tmp_path, text):
    table = read(tmp_path, f"画像,image,patient\n1,a,{text}\n".encode("cp932"))
    assert table.rows == [(2, {"画像": "1", "image": "a", "patient": text})]
    assert "read as cp932" in table.notes[0]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("gbk", "张晓东"),
        ("gbk", "王"),
        ("gbk", "李娜"),
        ("euc_kr", "홍길동"),
        ("euc_kr", "이"),
        ("big5", "林志明"),
        ("cp1251", "Иванов"),
        ("cp1253", "Νίκος"),
        ("cp850", "André"),
        ("mac_roman", "José"),
        ("cp1250", "Paweł"),
        ("cp932", "子"),  # "Žq" in cp1252: two readings, and neither is taken
        ("iso2022_jp", "山田"),
    ],
)
def test_another_code_page_is_refused_and_never_read_as_other_words(tmp_path, encoding, name):
    with pytest.raises(DatasetError, match=r"t\.csv is not a readable CSV file: .*UTF-8"):
        read(tmp_path, f"image,patient\na,{name}\n".encode(encoding))


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(codec="cp932", min_codepoint=0x3041, max_codepoint=0x9FA0), min_size=1))
)
def test_japanese_is_read_as_written_or_refused(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("japanese") / "t.csv"
    path.write_bytes("\n".join(["image", *words]).encode("cp932"))
    try:
        table = read_table(path)
    except DatasetError:
        return
    assert [row["image"] for _, row in table.rows] == words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,patient\na,1\nb,1,2\n", "t.csv, line 3: more values than columns: 3 of 2"),
        (b"image,patient\na,1\n\nb\n", "t.csv, line 4: fewer values than columns: 1 of 2"),
        (b'image,note\na,"two\nlines"\nb\n', "t.csv, line 4: fewer values than columns"),
        (b'image,note\na,1\nb,"open\nc,2\n', "not a readable CSV file: line 3: unexpected end of data"),
        (b'image,note\na,"x"y\n', "not a readable CSV file: line 2"),
        (b"image,Patient,patient \na,1,2\n", "two columns named 'patient'"),
        (b"\xff\xfei\0m\0a", "no whole utf-16"),
        (b"\x89PNG\0\0\0\rIHDR", "not a readable CSV file"),
    ],
)
def test_damage_is_named(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, content)


def test_empty_cells_beyond_the_header_are_no_damage(tmp_path):
    table = read(tmp_path, b"image,patient\r\na,1,,\r\n")
    assert table.rows == [(2, {"image": "a", "patient": "1"})]


def test_short_rows_may_be_allowed_and_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file,mask,patient\na,b\n")
    table = read_table(path, may_be_short=True)
    assert table.rows == [(2, {"file": "a", "mask": "b", "patient": ""})]
    assert table.notes == [
        f"{path}, line 2: fewer values than columns: 2 of 3; the last ones are taken for empty."
    ]


def test_cells_may_be_longer_than_csv_allows(tmp_path):
    table = read(tmp_path, b"image,points\na," + b"1 2 " * 50_000 + b"\n")
    assert len(table.rows[0][1]["points"]) == 200_000


def test_separators_in_quoted_names_do_not_count(tmp_path):
    table = read(tmp_path, b'"width, height, depth";image\n1;a\n')
    assert table.columns == ["width, height, depth", "image"]


def test_excel_tells_the_separator_above_the_header(tmp_path):
    table = read(tmp_path, b"sep=;\r\nimage;note\r\na;1,5\r\nb\r\n".replace(b"\r\nb", b"\r\nb;2"))
    assert table.rows == [(3, {"image": "a", "note": "1,5"}), (4, {"image": "b", "note": "2"})]


def test_a_missing_column_is_told_with_those_that_are_there(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name|age\nx|3\n")
    with pytest.raises(PathError, match=r"expected a column named path or file, found 'name\|age'"):
        read_table(path, error=PathError).find("path", "file")
    path.write_text("")
    with pytest.raises(DatasetError, match="found nothing"):
        read_table(path).find("path")


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
    with path.open(newline="", encoding="utf-8-sig") as stream:
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
    assert read_table(tmp_path / "t.csv").rows[0] == (2, {"file": "=x.png", "=column": "-y"})


def test_a_table_of_ours_is_read_as_a_table_of_others(tmp_path):
    write_rows(tmp_path / "t.csv", ["file", "=column"], [["=x.png", "@y"]])
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ["file", "=column"]
    assert table.rows == [(2, {"file": "=x.png", "=column": "@y"})]


def test_no_other_module_writes_csv():
    source = Path(flexunet.__file__).parent
    writers = [
        path
        for path in source.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))
    ]
    assert writers == [source / "data" / "tables.py"]
