"""What libraries print of a file reaches the terminal as escapes, like our own messages."""

import subprocess
import sys

import pytest

from flexunet.errors import printable, typed

STEERING = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe \x00"


def test_what_could_steer_a_terminal_is_shown():
    shown = printable(f"{STEERING}\n乳房 é")
    assert shown == r"\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe \x00" + "\n乳房 é"


def test_paths_of_commands_are_quoted_where_the_shell_needs_it(monkeypatch):
    assert typed("data/films-1.toml") == "data/films-1.toml"
    assert typed("my films; rm") == "'my films; rm'"
    monkeypatch.setattr("flexunet.errors._ON_WINDOWS", True)
    assert typed(r"C:\films\a.toml") == r"C:\films\a.toml"
    assert typed(r"C:\my films") == r'"C:\my films"'


@pytest.mark.parametrize(
    "said",
    [
        "import warnings; warnings.warn(TEXT)",
        "import logging; logging.getLogger('pydicom').warning(TEXT)",
        "import logging; logging.getLogger('x').error('%s', TEXT)",
        "raise ValueError(TEXT)",
        "import threading; threading.Thread(target=lambda: int(TEXT + 'x')).start()",
    ],
)
def test_warnings_log_lines_and_tracebacks_cannot_steer_the_terminal(said):
    code = f"from flexunet.errors import shield_output; shield_output(); TEXT = {STEERING[:-1]!r}; {said}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    printed = done.stderr.decode()
    assert "\\x1b[31mred" in printed
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(printed)


def test_a_warning_of_a_library_in_a_command():
    """pydicom quotes values of a header in its warnings."""
    code = "import warnings, flexunet.cli as c; c.app = lambda **_: warnings.warn(chr(27) + '[2J'); c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"\\x1b[2J" in done.stderr
    assert b"\x1b" not in done.stderr
