"""Charts: marks where they belong, ticks that are round, texts escaped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.curves import SMALL, curve_chart
from flexunet.svg import Chart, Frame, nice_ticks, power_ticks, prose, whole_ticks


def test_ticks_are_round_and_inside():
    assert nice_ticks(0, 1) == [
        (0, "0.0"),
        (0.2, "0.2"),
        (pytest.approx(0.4), "0.4"),
        (pytest.approx(0.6), "0.6"),
        (0.8, "0.8"),
        (1.0, "1.0"),
    ]
    assert [text for _, text in nice_ticks(0, 37)] == ["0", "10", "20", "30"]
    assert [text for _, text in nice_ticks(0.0012, 0.0021)] == [
        "0.0012",
        "0.0014",
        "0.0016",
        "0.0018",
        "0.0020",
    ]


def test_a_chart_puts_values_where_they_belong():
    chart = Chart("t", "x", "y", (0.1, 10), (0, 1), log_x=True)
    assert chart.x(1) == pytest.approx((chart.x(0.1) + chart.x(10)) / 2, abs=0.1)
    assert chart.y(0.5) == pytest.approx((chart.y(0) + chart.y(1)) / 2, abs=0.1)
    assert chart.x(1000) == chart.x(10)
    chart.dots([(1, 0.5)], "#000", ["<b>"])
    assert "&lt;b&gt;" in chart.svg()


def test_ticks_of_powers_and_of_whole_numbers():
    assert [text for _, text in power_ticks(0.08, 1.5)] == ["0.1", "0.2", "0.5", "1"]
    assert [text for _, text in power_ticks(0.5, 5000)] == ["1", "10", "100", "1e+03"]
    assert [text for _, text in whole_ticks(1, 3)] == ["1", "2", "3"]
    assert [text for _, text in whole_ticks(1, 1)] == ["1"]


def test_a_line_leaves_out_what_is_no_number():
    chart = Chart("t", "", "", (0, 2))
    chart.line([(0, 0.0), (1, float("nan")), (2, 1.0)], "#000")
    # From the lower left corner of the frame to the upper right.
    assert 'd="M52.0 254.0L420.0 12.0"' in chart.svg()
    assert "data-step" not in chart.svg()
    assert 'data-step="2"' in chart.svg(step=2)


LABELLED = st.tuples(st.floats(0, 1), st.text("abc 0123.%", min_size=1, max_size=12))


@given(
    st.lists(LABELLED, max_size=12),
    st.lists(LABELLED, min_size=1, max_size=12),
    st.integers(150, 800),
)
def test_labels_never_collide_and_stay_right_of_the_label_of_the_axis(charts, marks, ticks, width):
    chart = Chart("t", "x", "y", (0, 1), (0, 1), x_ticks=ticks, y_ticks=ticks, frame=Frame(width=width))
    for value, text in marks:
        chart.mark(value, text)
    svg = chart.svg()
    assert not charts.collisions(svg)
    assert all(box[0] >= 0 for box in charts.boxes(svg))
    assert all(box[0] >= 20 for box in charts.boxes(svg) if box[2] <= chart.frame.left)


def test_a_mark_moves_down_where_another_stands(charts):
    chart = Chart("t", "", "", (0, 1))
    chart.mark(0.5, "mean 0.500")
    chart.mark(0.52, "median 0.520")
    svg = chart.svg()
    assert "mean 0.500" in svg
    assert "median 0.520" in svg
    assert not charts.collisions(svg)


@pytest.mark.parametrize("epochs", [1, 2, 30, 1000, 123456])
@pytest.mark.parametrize("values", [(0.5, 0.6), (1e-7, 3e-7), (123456.0, 123457.0), (0.0001, 10000.0)])
def test_curves_of_any_length_and_size_have_labels_that_stand_apart(charts, epochs, values):
    low, high = values
    curve = [high + (low - high) * index / epochs for index in range(min(epochs, 2000))]
    for name, frame in (("loss", Frame()), ("dice", SMALL)):
        chart = curve_chart(name, {name: curve, f"val_{name}": curve}, frame, labelled=frame is not SMALL)
        assert not charts.collisions(chart.svg())


def test_prose_is_escaped_and_shows_code():
    assert prose("Run `a --b <c>` & <b>") == "Run <code>a --b &lt;c&gt;</code> &amp; &lt;b&gt;"
    assert prose("one ` alone") == "one ` alone"
