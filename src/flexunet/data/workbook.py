"""Tables in Excel workbooks (`.xlsx`), their values alone."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from flexunet.data.documents import parse_xml
from flexunet.errors import DatasetError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MOST_BYTES = 256 << 20


def read_sheet(path: Path, *columns: str, sheet: str = "") -> list[dict[str, str]]:
    """Rows of a sheet by name of the column, in small letters; no blanks around cells.

    Args:
        path: The workbook.
        columns: Columns that it must have; its first row with the first of them names all.
        sheet: Name of the sheet; the first one when left out.

    Raises:
        DatasetError: if it is no workbook, or has no such sheet or columns.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            rows = [row for row in _rows(archive, sheet) if any(row)]
    except (OSError, KeyError, IndexError, ValueError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise DatasetError(f"{path} is no readable workbook ({error}). Save it again as .xlsx.") from error
    names: list[str] = []
    read = []
    for row in rows:
        if names:
            read.append(dict(zip(names, [*row, *[""] * len(names)], strict=False)))
        elif columns[0] in map(str.casefold, row):
            names = [cell.casefold() for cell in row]
    if missing := [column for column in columns if column not in names]:
        raise DatasetError(f"{path}: expected the columns {', '.join(missing)}, found {names or rows[:1]}.")
    return read


def _rows(archive: zipfile.ZipFile, sheet: str) -> Iterator[list[str]]:
    book = _parse(archive, "xl/workbook.xml")
    sheets = {each.get("name", ""): each.get(_RELATION) for each in book.iter(f"{_MAIN}sheet")}
    if sheet and sheet not in sheets:
        raise ValueError(f"it has no sheet {sheet!r}, but {', '.join(sheets)}")
    wanted = sheets[sheet] if sheet else next(iter(sheets.values()))
    relations = _parse(archive, "xl/_rels/workbook.xml.rels")
    targets = {each.get("Id"): each.get("Target", "") for each in relations}
    target = targets[wanted].lstrip("/")
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        shared = [_text(each) for each in _parse(archive, "xl/sharedStrings.xml").iter(f"{_MAIN}si")]
    place = target if target.startswith("xl/") else f"xl/{target}"
    for row in _parse(archive, place).iter(f"{_MAIN}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_MAIN}c"):
            letters = re.match("[A-Z]*", cell.get("r", ""))
            position = _column(letters[0]) if letters and letters[0] else len(cells)
            if position > 16384:
                raise ValueError(f"a cell is in column {position}")
            cells += [""] * (position - len(cells))
            value = cell.findtext(f"{_MAIN}v") or ""
            if cell.get("t") == "s":
                value = shared[int(value)]
            elif cell.get("t") == "inlineStr":
                value = _text(cell)
            cells.append(value.strip())
        yield cells


def _text(element: ElementTree.Element) -> str:
    """The text of an element, without the pronunciation that Japanese workbooks add."""
    return "".join(
        each.text or ""
        for run in element.iter()
        if run.tag in (f"{_MAIN}r", f"{_MAIN}is", f"{_MAIN}si")
        for each in run.findall(f"{_MAIN}t")
    )


def _column(letters: str) -> int:
    number = 0
    for letter in letters[:4]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _parse(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """A part of the workbook."""
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f"{name} is larger than {_MOST_BYTES >> 20} MiB")
    return parse_xml(archive.read(name), name)
