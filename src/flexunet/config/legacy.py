"""Reading the published INI dialect: `.config` files whose values are Python literals.

Values are parsed, never evaluated: a call, a name or an attribute is an unreadable value like any other.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import re
import warnings
from dataclasses import dataclass
from typing import Any

from flexunet.errors import ConfigError

_COMMENT = re.compile(r"""((?:[^;#"']|"[^"\n]*"|'[^'\n]*')*)[;#].*""")
_KEY = re.compile(r"([^=:]+)[=:](.*)")
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
# A number of more digits cannot be written into a message, nor be the value of any key.
_MOST_BITS = 1024
_BARE_WORD = re.compile(r"[A-Za-z0-9_.~/\\:-]+")


@dataclass(frozen=True)
class Entry:
    """One key of a file as it is written there."""

    section: str
    key: str
    text: str
    line: int | None = None


class UnreadableValueError(ValueError):
    """A text that is no Python literal."""


def parse_entries(text: str, name: str) -> list[Entry]:
    """The keys of a `.config` file, values as text.

    Args:
        text: Content of the file.
        name: Its name, for messages.

    Raises:
        ConfigError: if a key or a section is given twice, or a line is neither section, key nor comment.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        parser.read_string(text, source=name)
    except configparser.DuplicateOptionError as error:
        again = f"[{error.section}] {error.option} is given twice, the second time in line {error.lineno}"
        raise ConfigError(
            f"{name}: {_repeated_keys(text) or again}; the published reader refuses such a file too. "
            "Keep one line of each"
        ) from None
    except configparser.DuplicateSectionError as error:
        lines = [n for n, (section, key, _) in _outline(text) if section == error.section and not key]
        raise ConfigError(
            f"{name}: section [{error.section}] is given twice, in lines {_series(lines)}; "
            "move the keys of the second below the first"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(
            f"{name}: line {error.lineno} stands before any [section]: {error.line.strip()[:60]!r}; "
            "a configuration starts with a section such as [model]"
        ) from None
    except configparser.ParsingError as error:
        found = "; ".join(f"line {lineno}: {line}" for lineno, line in error.errors[:5])
        raise ConfigError(f"{name}: neither a [section], a key = value nor a comment: {found}") from None
    lines_by_key = {(section, key.lower()): (n, key) for n, (section, key, _) in _outline(text) if key}
    entries = []
    for section in parser.sections():
        for key, value in parser.items(section):
            line, written = lines_by_key.get((section, key), (None, key))
            entries.append(Entry(section, written, value, line))
    return entries


def parse_value(text: str, *, is_path: bool = False) -> Any:
    """The value that a text means.

    Args:
        text: A Python literal, perhaps with a comment behind it.
        is_path: Whether backslashes are separators, not escapes.

    Raises:
        UnreadableValueError: if the text is no literal.
    """
    for candidate in _without_comment(text):
        if is_path and (quoted := _QUOTED.fullmatch(candidate)) and quoted[1] not in quoted[2]:
            return quoted[2].replace("\\\\", "\\")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = ast.literal_eval(candidate)
            if is_bounded(value):
                return value
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise UnreadableValueError(text)


def is_bounded(value: Any) -> bool:
    """Whether a value has only whole numbers that can be written out, at any depth.

    Raises:
        RecursionError: if it is nested deeper than Python goes.
    """
    if isinstance(value, int):
        return value.bit_length() <= _MOST_BITS
    if isinstance(value, dict):
        return all(is_bounded(part) for entry in value.items() for part in entry)
    if isinstance(value, (list, tuple, set)):
        return all(is_bounded(part) for part in value)
    return True


def bare_word(text: str) -> str | None:
    """The text itself if it is a word or a path that merely lacks its quotes, else None."""
    candidate = _without_comment(text)[-1]
    return candidate if _BARE_WORD.fullmatch(candidate) else None


def _without_comment(text: str) -> list[str]:
    text = text.strip()
    lines = []
    for line in text.split("\n"):
        comment = _COMMENT.fullmatch(line)
        lines.append(comment[1] if comment else line)
    bared = "\n".join(lines).strip()
    return [text] if bared == text else [text, bared]


def _outline(text: str) -> list[tuple[int, tuple[str, str, str]]]:
    """Line number, section, key ("" for the header itself) and text of each line that opens one."""
    found = []
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\[(.+)\]", line.lstrip()):
            section = header[1]
            found.append((number, (section, "", "")))
        elif (
            section and (key := _KEY.match(stripped := line.strip())) and not stripped.startswith((";", "#"))
        ):
            found.append((number, (section, key[1].rstrip(), key[2])))
    return found


def _repeated_keys(text: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, default_section="\0", strict=False)
    with contextlib.suppress(configparser.Error):
        parser.read_string(text)
    lines: dict[tuple[str, str], list[int]] = {}
    for number, (section, key, _) in _outline(text):
        # A line within a longer value may look like a key; the parser knows better.
        if key and parser.has_option(section, key):
            lines.setdefault((section, key.lower()), []).append(number)
    repeated = [
        f"[{section}] {key} is given twice, in lines {_series(numbers)}"
        for (section, key), numbers in lines.items()
        if len(numbers) > 1
    ]
    return "; ".join(repeated)


def _series(lines: list[int]) -> str:
    return " and ".join(str(line) for line in lines)
