"""Tables in narrow windows: figures whole, names broken after underscores."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from flexunet.cli.console import PlainConsole


def printed(renderable, width):
    stream = io.StringIO()
    PlainConsole(file=stream, width=width, markup=False, color_system=None).print(renderable)
    return stream.getvalue()


def figures(text):
    return re.findall(r"(?<![\w.])[-+]?\d[\d.,e+-]*", text)


def comparison():
    table = Table(title="24 shared images of 21 sources", title_justify="left")
    for name in ("score", "runs/first_experiment", "runs/second", "difference", "interval", "p"):
        table.add_column(name, justify="left" if name == "score" else "right", no_wrap=name == "p")
    paired = "boundary_dice_per_image_mean_paired"
    distance = "average_surface_distance_px_mean (less is better)"
    table.add_row(paired, "0.560", "13.485", "+0.056", "-0.061 to +0.168", "0.0005")
    table.add_row(distance, "1", "2", "+1", "-123.456 to +123.456", "1")
    return table


@pytest.mark.parametrize("width", [80, 60])
def test_no_figure_is_cut_and_no_line_is_too_long(width):
    text = printed(comparison(), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = set(text.split())
    for figure in ["0.560", "13.485", "+0.056", "-0.061", "+0.168", "0.0005", "-123.456", "+123.456"]:
        assert figure in words, figure
    assert "boundary_" in text


def test_a_table_that_fits_is_left_as_it_is():
    text = printed(comparison(), 200)
    assert "boundary_dice_per_image_mean_paired" in text
    assert "average_surface_distance_px_mean (less is better)" in text
    assert "-123.456 to +123.456" in text
    assert "│" in text


def test_styled_cells_are_folded():
    table = Table("what", "files")
    table.add_row(Text("mask-on-ordinary-tissue of very many words", style="red"), "12345")
    text = printed(table, 20)
    assert "12345" in text
    assert "…" not in text
    assert re.sub(r"[^a-z-]", "", text.split("files")[1]) == "mask-on-ordinary-tissueofverymanywords"


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z]{1,9}(_[a-z]{1,9}){0,5}", fullmatch=True),
            st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
            st.integers(0, 10**9).map(str),
            st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda ends: f"{ends[0]:.4f} to {ends[1]:.4f}"),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([60, 80]),
)
def test_every_figure_of_any_table_is_whole(rows, width):
    table = Table("score", "value", "count", "95 % interval")
    for row in rows:
        table.add_row(*row)
    text = printed(table, width)
    assert max(map(len, text.splitlines())) <= width
    wanted = [figure for row in rows for cell in row[1:] for figure in figures(cell)]
    words = text.split()
    assert all(figure in words for figure in wanted)
    letters = "".join(character for character in text if character.isalpha())
    assert "…" not in text
    assert len(letters) >= sum(len(row[0].replace("_", "")) for row in rows)
