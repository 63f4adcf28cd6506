"""Tables that fit the window: names go on in the next line after an underscore, and no figure is cut."""

from __future__ import annotations

import re

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

_WIDEST_PAD = 1
_FEWEST = 6  # letters of a name that stand in one line where there is little room
_NAME = re.compile(r"[A-Za-z]")
_FIGURE = re.compile(r"[-+]?\.?\d")


def fit_table(table: Table, width: int) -> None:
    """Set the widths of the columns so that the table is at most `width` wide, as far as its figures allow.

    Rich shortens texts to `…` where a table is too wide. Here a cell may be broken at spaces, and a name
    after `_`, `/` or `.`; a figure is never broken. Where that is not enough, the frame is left out, and
    then names are broken anywhere.
    """
    cells = [[_plain(column.header), *map(_plain, column.cells)] for column in table.columns]
    natural = [max(len(line) for cell in column for line in cell.split("\n")) for column in cells]
    if not cells or sum(natural) + _frame(table) <= width:
        return
    least = [max((_longest(word) for cell in column for word in cell.split()), default=1) for column in cells]
    if sum(least) + _frame(table) > width:
        table.box, table.padding, table.pad_edge = None, (0, _WIDEST_PAD, 0, 0), False
    missing = sum(least) + _frame(table) - width
    for place, column in enumerate(cells):
        if missing > 0 and any(_NAME.search(cell) for cell in column[1:]):
            figures = [len(word) for cell in column for word in cell.split() if not _NAME.search(word)]
            shorter = min(least[place], max([_FEWEST, *figures, least[place] - missing]))
            missing -= least[place] - shorter
            least[place] = shorter
    figures_first = [not any(map(_FIGURE.match, column[1:])) for column in cells]
    for place, size in enumerate(_shared(least, natural, width - _frame(table), figures_first)):
        shown = table.columns[place]
        shown.width, shown.no_wrap, shown.overflow = size, False, "fold"
        shown.header = _broken(shown.header, size)
        shown._cells = [_broken(cell, size) for cell in shown._cells]


def _plain(cell: RenderableType) -> str:
    if isinstance(cell, Text):
        return cell.plain
    return cell if isinstance(cell, str) else ""


def _frame(table: Table) -> int:
    """Columns of the window that borders and padding take."""
    count = len(table.columns)
    _, right, _, left = table.padding
    return count * (left + right) + (count + 1 if table.box else 0)


def _parts(word: str) -> list[str]:
    """What a word may be broken into: names after an underscore, a slash or a dot; figures never."""
    return re.findall(r"[^_/.]*[_/.]+|[^_/.]+", word) if _NAME.search(word) else [word]


def _longest(word: str) -> int:
    return max(map(len, _parts(word)))


def _shared(least: list[int], natural: list[int], available: int, later: list[bool]) -> list[int]:
    """Widths between the least and the natural ones that use what is available; some columns come later.

    Columns that need no more than a third of it are served before those of long texts.
    """
    sizes = list(least)
    long = [size > available // 3 for size in natural]
    for _ in range(max(0, available - sum(sizes))):
        wanting = [place for place, size in enumerate(sizes) if size < natural[place]]
        if not wanting:
            break
        sizes[min(wanting, key=lambda place: (later[place], long[place], sizes[place] / natural[place]))] += 1
    return sizes


def _broken(cell: RenderableType, width: int) -> RenderableType:
    """A text with line breaks in names that are wider than a column; Rich folds what is styled."""
    if not isinstance(cell, str):
        return cell
    lines = []
    for line in cell.split("\n"):
        words = []
        for word in line.split(" "):
            text, used = "", 0
            for part in _parts(word) if len(word) > width else [word]:
                if used and used + len(part) > width:
                    text, used = text + "\n", 0
                text, used = text + part, used + len(part)
            words.append(text)
        lines.append(" ".join(words))
    return "\n".join(lines)
