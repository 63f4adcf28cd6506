"""Tables: our own CSV files, and tables as other programs write them.

A spreadsheet runs a cell that begins like a formula, and names of files and patients come from others. Every
CSV that we write goes through `write_rows`, which puts an apostrophe before such a cell; `read_own_rows` and
`read_rows` take it away again.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flexunet.errors import DatasetError
from flexunet.files import write_text

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Cells that a spreadsheet runs, and those that would be taken for ones already made safe. The last four are
# the full-width signs that spreadsheets in Japanese and Chinese take for the others.
_RUN = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def shield(cell: str) -> str:
    """The cell with an apostrophe before it, if a spreadsheet would run it; numbers stay as they are."""
    return f"'{cell}" if _RUN.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unshield(cell: str) -> str:
    """What `shield` was given."""
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file that is safe to open in a spreadsheet; it appears whole or not at all.

    Args:
        path: The file.
        columns: Names of the columns.
        rows: Cells of each row, as many as there are columns; None is written as nothing.

    Raises:
        PathError: if it cannot be written.
    """
    stream = io.StringIO()
    # Python leaves a lone carriage return without quotes, and then reads it as the end of a row.
    plain = csv.writer(stream, lineterminator="\n")
    quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in (columns, *rows):
        cells = [shield(cell) if isinstance(cell, str) else cell for cell in row]
        risky = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoted if risky else plain).writerow(cells)
    write_text(path, stream.getvalue())


def read_own_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of a CSV file that `write_rows` wrote, or an earlier version; no empty rows.

    Raises:
        FileNotFoundError: if it is missing.
        DatasetError: if it is not readable.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [list(map(unshield, row)) for row in csv.reader(stream, strict=True) if row]
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a readable CSV file: {error}.") from error
    return (rows[0], rows[1:]) if rows else ([], [])


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Column names and rows of a table.

    UTF-8 and UTF-16 are recognised, all else is taken for cp1252, as Excel writes it in the West, if what is
    not ASCII are letters there: the code page of another language gives signs, and is refused. The separator
    is the most frequent of comma, semicolon and tab in the first line.

    Raises:
        DatasetError: if it is no table; names the file and the line.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
        if strange := {each for each in text if not (each.isascii() or each.isalpha() or each in "°µ²³§")}:
            raise DatasetError(
                f"{path} is in the encoding of another language: it is not UTF-8, and {len(strange)} of its "
                "characters are no letters of Western Europe. Save it as CSV in UTF-8."
            ) from None
    if "\0" in text:
        raise DatasetError(
            f"{path} holds NUL characters: it is no CSV, or UTF-16 without a mark. Save as UTF-8."
        )
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        reader.fieldnames = names = list(map(unshield, reader.fieldnames or ()))
        rows = list(reader)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}. Save it as CSV again.") from error
    return names, [
        {name: unshield(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in rows
    ]
