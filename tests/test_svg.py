"""Charts: marks where they belong, ticks that are round, texts escaped."""

import pytest

from flexunet.svg import Chart, nice_ticks, power_ticks, whole_ticks


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
