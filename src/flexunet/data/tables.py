"""Tables as other programs write them: CSV in their encoding, separated by comma, semicolon or tab."""

import codecs
import csv
import io
from pathlib import Path

from flexunet.errors import DatasetError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


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
        names, rows = list(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}. Save it as CSV again.") from error
    return names, rows
