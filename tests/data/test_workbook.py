"""Excel workbooks, written by hand as the format says."""

import zipfile

import pytest

from flexunet.data.workbook import read_sheet
from flexunet.errors import DatasetError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def test_a_sheet_with_shared_and_inline_texts_numbers_and_gaps(write_workbook, tmp_path):
    path = write_workbook(
        tmp_path / "a.xlsx",
        {"notes": [["nothing"]], "all": [["Name", "Age", "BIRADS"], ["P1 ", 54, None], ["P2", None, "3$2"]]},
    )
    rows = read_sheet(path, "name", sheet="all")
    assert rows == [{"name": "P1", "age": "54", "birads": ""}, {"name": "P2", "age": "", "birads": "3$2"}]


def test_rich_texts_and_a_title_above_the_header(tmp_path):
    path = tmp_path / "b.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets><sheet name="s" r:id="rId1"/></sheets>'
            "</workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", '<R><Relationship Id="rId1" Target="/xl/worksheets/x.xml"/></R>'
        )
        archive.writestr(
            "xl/sharedStrings.xml",
            f'<sst xmlns="{MAIN}"><si><r><t>I</t></r><r><t>D1</t></r><rPh><t>wrong</t></rPh></si></sst>',
        )
        cells = (
            '<row><c r="A1" t="inlineStr"><is><t>title</t></is></c></row>'
            '<row><c r="B2" t="s"><v>0</v></c></row><row><c r="B3"><v>7</v></c></row>'
        )
        archive.writestr(
            "xl/worksheets/x.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
        )
    assert read_sheet(path, "id1") == [{"": "", "id1": "7"}]


def test_what_is_no_workbook_is_refused(write_workbook, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", {"all": [["Name"], ["P1"]]})
    with pytest.raises(DatasetError, match="no sheet 'other', but all"):
        read_sheet(path, "name", sheet="other")
    with pytest.raises(DatasetError, match="expected the columns age"):
        read_sheet(path, "name", "age")
    path.write_bytes(b"PK no archive")
    with pytest.raises(DatasetError, match="is no readable workbook"):
        read_sheet(path, "name")


def test_a_document_type_is_refused(tmp_path):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", '<!DOCTYPE w [<!ENTITY a "aaaa">]><workbook>&a;</workbook>')
    with pytest.raises(DatasetError, match="document type"):
        read_sheet(path, "name")
