"""Bars of progress, in a terminal and in a log file."""

import io

import pytest
from rich.console import Console

import flexunet


def shown(is_terminal, **options):
    """What a window of 100 columns, or a file, gets of two epochs."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=100, markup=False)
    with flexunet.show_progress(console, **options) as progress:
        progress("epochs", 0, 2)
        progress("epochs", 0.5, 2, "loss 0.9")
        progress("epochs", 1, 2, "loss 0.5\x1b[2J")
        progress("epochs", 2, 2, "loss 0.4")
    return stream.getvalue()


def test_a_terminal_sees_bars_alone():
    text = shown(True)
    assert "2/2" in text
    assert "loss 0.4" in text
    assert "epoch 1/2" not in text


@pytest.mark.parametrize(("options", "lines"), [({}, 2), ({"logged": None}, 0), ({"logged": "images"}, 0)])
def test_a_log_file_has_a_line_for_each_epoch(options, lines):
    text = shown(False, **options)
    assert sum(line.startswith("epoch ") for line in text.splitlines()) == lines


def test_nothing_that_is_shown_steers_the_terminal():
    assert "\x1b[2J" not in shown(True)
    assert "\\x1b[2J" in shown(False)
