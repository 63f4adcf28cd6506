"""Tables: our own CSV files, and tables as other programs write them.

    table = read_table(Path("INbreast.csv"))
    column = table.find("image", "file name")
    for line, row in table.rows:
        print(line, row[column])

`read_table` is the one reader of tables that people bring: film tables, annotations, manifests and lists of
images. A spreadsheet runs a cell that begins like a formula, and names of files and patients come from
others. Every CSV that we write goes through `write_rows`, which puts an apostrophe before such a cell;
`read_own_rows` and `read_table` take it away again.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flexunet.errors import DatasetError, InputError
from flexunet.files import write_text

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Cells that a spreadsheet runs, and those that would be taken for ones already made safe. The last four are
# the full-width signs that spreadsheets in Japanese and Chinese take for the others.
_RUN = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_REMEDY = "Save it as CSV in UTF-8"
_NO_TEXT = {"\0": "NUL characters", "\x1b$": "Japanese in ISO-2022-JP"}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n)')  # what Excel reads and writes above the header
_WESTERN_SIGN = re.compile(r"[°µ§\xa0]|(?<=m)[²³]|(?<![^\W\d_])[–—…€½¼¾±×«»·²³](?![^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+")
_KANA_OR_KANJI = r"\u3041-\u30ff\u4e00-\u9fff\uf900-\ufaff々〆"
_JAPANESE = re.compile(
    rf"[\0-\x7f\u3000-\u303f\uff01-\uff5e\uff61-\uff9f±×÷°′″℃→←↑↓○●△■□※①-⑳Ⅰ-Ⅹ{_KANA_OR_KANJI}]*"
)
_HALF_BESIDE_WHOLE = re.compile(rf"[\uff61-\uff9f][{_KANA_OR_KANJI}]|[{_KANA_OR_KANJI}][\uff61-\uff9f]")


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
    write_text(path, rows_as_text(columns, rows))


def rows_as_text(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """The text that `write_rows` writes.

    If it has letters beyond ASCII, it begins with a byte order mark, without which Excel reads é as Ã©.
    """
    stream = io.StringIO()
    # Python leaves a lone carriage return without quotes, and then reads it as the end of a row.
    plain = csv.writer(stream, lineterminator="\n")
    quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in (columns, *rows):
        cells = [shield(cell) if isinstance(cell, str) else cell for cell in row]
        risky = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoted if risky else plain).writerow(cells)
    text = stream.getvalue()
    return text if text.isascii() else f"\ufeff{text}"


def read_own_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of a CSV file that `write_rows` wrote, or an earlier version; no empty rows.

    Raises:
        FileNotFoundError: if it is missing.
        DatasetError: if it is not readable.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is not a readable CSV file: {error}.") from error
    rows = [cells for _, cells in _cells(text, f"{path} is not a readable CSV file")]
    return (rows[0], rows[1:]) if rows else ([], [])


@dataclass(frozen=True)
class Table:
    """A table with a header.

    Attributes:
        path: The file.
        columns: Names of the columns, as written.
        rows: Line of the file on which a row begins, and its cells by column.
        separator: What stands between cells.
        notes: What a user should know of how the file was read, a sentence each.
        error: What is raised where the table does not serve.
    """

    path: Path
    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]
    separator: str = ","
    notes: list[str] = field(default_factory=list)
    error: type[InputError] = DatasetError

    @property
    def named(self) -> dict[str, str]:
        """The columns by their names in small letters, without blanks around them; nameless ones left out."""
        return {name.strip().casefold(): name for name in self.columns if name.strip()}

    def find(self, *names: str) -> str:
        """The first of these columns that the table has; capitals do not count.

        Raises:
            InputError: if it has none of them; lists those that it has.
        """
        for name in names:
            if name in self.named:
                return self.named[name]
        found = ", ".join(map(repr, self.columns)) or "nothing"
        raise self.error(
            f"{self.path}: expected a column named {' or '.join(names)}, found {found}. Add a first row that "
            "names the columns."
        )

    def where(self, line: int) -> str:
        """What messages call a line."""
        return f"{self.path}, line {line}"


def read_table(
    path: Path,
    kind: str = "CSV file",
    *,
    error: type[InputError] = DatasetError,
    may_be_short: bool = False,
    own: bool = False,
) -> Table:
    """Read a table.

    UTF-8, UTF-16 and UTF-32 are recognised. What is none of them is read as cp1252 (Excel in Western Europe)
    or cp932 (Excel in Japan) if it makes words in exactly one of them, and a note says so; all else is
    refused.
    The separator is the most frequent of comma, semicolon and tab in the header. Cells may have any length.

    Args:
        path: The file.
        kind: What messages call it.
        error: What is raised.
        may_be_short: Whether rows may lack cells at their end, as spreadsheets leave empty ones out.
        own: Whether we write such tables, and cells may therefore hold any character.

    Raises:
        InputError: if it is no table, a row has more or fewer cells than there are columns, or two columns
            share a name; names the file and the line. It is an error of the class `error`.
        OSError: if the file cannot be read.
    """
    text, note = decode_text(path, kind, error, own)
    start, separator = 1, ""
    if told := _SEPARATOR_LINE.match(text):
        text, start, separator = text[told.end() :], 2, told[1]
    header = re.sub(r'"[^"]*"', "", re.split(r"[\r\n]", text, maxsplit=1)[0])
    separator = separator or max(",;\t", key=header.count)
    lines = _cells(text, f"{path} is not a readable {kind}", separator, start, error)
    columns = lines[0][1] if lines else []
    table = Table(path, columns, [], separator, [note] if note else [], error)
    counts = Counter(name.strip().casefold() for name in columns)
    if twice := [name for name, count in counts.items() if count > 1 and name]:
        raise error(f"{path} has two columns named {twice[0]!r}. Rename or remove one of them.")
    for line, cells in lines[1:]:
        table.rows.append((line, _row(table, line, cells, may_be_short)))
    return table


def _cells(
    text: str, fault: str, separator: str = ",", start: int = 1, error: type[InputError] = DatasetError
) -> list[tuple[int, list[str]]]:
    """The cells of each row, and the line on which it begins; no empty rows."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = start
    try:
        for cells in reader:
            if cells:
                rows.append((line, list(map(unshield, cells))))
            line = start + reader.line_num
    except csv.Error as problem:
        raise error(f"{fault}: line {line}: {problem}. Check its quotes, or save it again.") from problem
    return rows


def _row(table: Table, line: int, cells: list[str], may_be_short: bool) -> dict[str, str]:
    wanted = len(table.columns)
    if any(cells[wanted:]):
        raise table.error(
            f"{table.where(line)}: more values than columns: {len(cells)} of {wanted}. Put values that hold "
            f"{table.separator!r} in quotes."
        )
    if len(cells) < wanted:
        short = f"{table.where(line)}: fewer values than columns: {len(cells)} of {wanted}"
        if not may_be_short:
            raise table.error(f"{short}. Add what is missing; an empty value needs its separator too.")
        table.notes.append(f"{short}; the last ones are taken for empty.")
    cells = [*cells, *[""] * (wanted - len(cells))]
    return dict(zip(table.columns, cells, strict=False))


def decode_text(
    path: Path, kind: str, error: type[InputError] = DatasetError, own: bool = False
) -> tuple[str, str]:
    """The text of a file as `read_table` decodes it, and a note if its encoding was a guess, else "".

    Raises:
        InputError: if it is no text; an error of the class `error`.
        OSError: if the file cannot be read.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not encoding and b"\0" in content:
        encoding = next((name for name in ("utf-16-le", "utf-16-be") if _is_header(content, name)), "")
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as problem:
        if encoding:
            raise error(
                f"{path} is not a readable {kind}: it is no whole {encoding}. {_REMEDY}."
            ) from problem
    else:
        strange = next((name for mark, name in _NO_TEXT.items() if mark in text), "")
        if strange and not own:
            raise error(f"{path} is not a readable {kind}: it holds {strange}. {_REMEDY}.")
        return text, ""
    if b"\0" in content:
        raise error(f"{path} is not a readable {kind}, but a binary file. {_REMEDY}.")
    readings = {name: text for name, text in _readings(content).items() if text}
    if len(readings) != 1:
        words = " or ".join(f"{_first_word(text)!r} ({name})" for name, text in readings.items())
        reason = f"its words may be {words}" if words else "they make no words in cp1252 or cp932"
        raise error(
            f"{path} is not a readable {kind}: it is in the encoding of another language, not in UTF-8, and "
            f"{reason}. {_REMEDY}."
        )
    name, text = readings.popitem()
    return (
        text,
        f"{path} is not in UTF-8; it was read as {name}, {_first_word(text)!r} for example. {_REMEDY}.",
    )


def _is_header(content: bytes, encoding: str) -> bool:
    """Whether the first line is mostly ASCII in an encoding."""
    header = content[:2000].decode(encoding, "replace").split("\n")[0]
    return 2 * sum("\0" < each <= "\x7f" for each in header) > len(header)


def _readings(content: bytes) -> dict[str, str]:
    """The text in each code page in which it may have been written; "" in one that gives no words."""
    western, japanese = content.decode("cp1252", "replace"), _japanese(content)
    return {"cp1252": western if _is_western(western) else "", "cp932": japanese}


def _is_western(text: str) -> bool:
    """Whether all that is not ASCII are letters and signs as the languages of Western Europe use them.

    In the code pages of other languages, words have no ASCII letters (Greek, Russian, Chinese), capitals
    stand behind small letters (Macintosh), or there are signs within words (DOS, Japanese).
    """
    text = _WESTERN_SIGN.sub("", text)
    if not all(each.isascii() or each.isalpha() for each in text) or re.search("[ƒˆ]", text):
        return False
    words = [word for word in _WORD.findall(text) if not word.isascii() and len(word) > 1]
    return all(re.search("[A-Za-z]", word) and not re.search(r"[a-zß-ÿšœž][À-ÞŠŒŽŸ]", word) for word in words)


def _japanese(content: bytes) -> str:
    """The text in cp932, Windows's Shift-JIS, if it is Japanese; else "".

    The codes of nearly all kana and kanji begin with 0x82 to 0x9F, which Chinese and Korean names scarcely
    use; theirs appear as half-width kana.
    """
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError:
        return ""
    letters = set(re.findall(f"[{_KANA_OR_KANJI}]", text))
    common = any(each.encode("cp932")[0] < 0xA0 for each in letters)
    is_japanese = common and _JAPANESE.fullmatch(text) and not _HALF_BESIDE_WHOLE.search(text)
    return text if is_japanese else ""


def _first_word(text: str) -> str:
    """The first word that is not ASCII."""
    return next((word for word in re.findall(r"[^\s,;\"]+", text) if not word.isascii()), "")[:40]
