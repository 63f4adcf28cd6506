import pytest

from flexunet.data.derive.film_table import read_film_table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding, separator):
    rows = [["Patient", "File Name", "Laterality"], ["Müller", "20586908", "R"]]
    path = tmp_path / "table.csv"
    path.write_bytes("".join(separator.join(row) + "\r\n" for row in rows).encode(encoding))
    assert read_film_table(path) == {"20586908": {"patient": "Müller", "laterality": "R"}}
