import pytest

from flexunet.data.derive.film_table import doubts_about_table, read_film_table
from flexunet.errors import DatasetError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding, separator):
    rows = [["Patient", "File Name", "Laterality"], ["Müller", "20586908", "R"]]
    path = tmp_path / "table.csv"
    path.write_bytes("".join(separator.join(row) + "\r\n" for row in rows).encode(encoding))
    assert read_film_table(path)[0] == {"20586908": {"patient": "Müller", "laterality": "R"}}


def test_names_with_dots_are_whole(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("image,patient\n" + "".join(f"1.2.840.{number},P{number}\n" for number in range(4)))
    assert read_film_table(path)[0] == {f"1.2.840.{number}": {"patient": f"P{number}"} for number in range(4)}


def test_the_form_of_accents_makes_no_other_film_or_patient(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("image,patient\ne\u0301.png,u\u0308\n", encoding="utf-8")
    assert read_film_table(path)[0] == {"é": {"patient": "ü"}}


def test_rows_of_one_film_may_repeat_but_not_contradict_each_other(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("image,patient,side\na.png,P1,L\nb.png,P2,R\na.jpg,P1,L\n")
    assert list(read_film_table(path)[0]) == ["a", "b"]
    path.write_text("image,patient,side\na.png,P1,L\nb.png,P2,R\na.jpg,P3,L\n")
    with pytest.raises(DatasetError, match=r"lines 2 and 4, tell different .* 'a': patient 'P1' and 'P3'"):
        read_film_table(path)
    path.write_text("image,patient\na,P1\n,P2\n,\n")
    with pytest.raises(DatasetError, match="line 3: the film's name is missing"):
        read_film_table(path)


def test_a_name_may_be_the_first_part_of_the_film_s(tmp_path):
    films = ["20586908_6c613a_MG_R_CC_ANON", "20586934_6c613a_MG_L_CC_ANON"]
    assert doubts_about_table({"20586908": {"patient": "P7"}}, films) == []
    assert "no row of the table names a film" in doubts_about_table({"2058": {"patient": "P7"}}, films)[0]
