"""Tables in the encodings that spreadsheets write, and those that would be read as other words."""

import pytest

from flexunet.data.tables import read_rows
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
