import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.charts import Chart, length_chart, length_range, toxicity_chart
from tasks.reports.statistics import LENGTH_EDGES

COUNTS = st.integers(0, 10**9)


def inside(chart: Chart) -> bool:
    return all(
        chart.left <= box.x
        and box.x + box.width <= chart.right + 0.1
        and chart.top - 0.1 <= box.y
        and box.y + box.height == pytest.approx(chart.base, abs=0.2)
        for box in chart.boxes
    ) and all(chart.top - 0.1 <= tick.at <= chart.base for tick in chart.up)


@settings(derandomize=True, max_examples=50)
@given(counts=st.lists(COUNTS, min_size=20, max_size=20))
def test_toxicity_bars_stay_on_the_canvas_one_per_filled_bin(counts: list[int]) -> None:
    chart = toxicity_chart("user", counts, 0.8)
    assert inside(chart)
    assert len(chart.boxes) == sum(count > 0 for count in counts)


@settings(derandomize=True, max_examples=50)
@given(user=st.lists(COUNTS, min_size=17, max_size=17), assistant=st.lists(COUNTS, min_size=17, max_size=17))
def test_length_bars_stay_on_the_canvas(user: list[int], assistant: list[int]) -> None:
    chart = length_chart({"user": user, "assistant": assistant})
    assert inside(chart)
    assert len(chart.boxes) == sum(count > 0 for count in user + assistant)


def test_bars_at_the_threshold_are_marked_and_the_line_stands_there() -> None:
    counts = [0] * 20
    counts[15], counts[16] = 2, 3
    chart = toxicity_chart("user", counts, 0.8)
    assert [(box.kind, box.title) for box in chart.boxes] == [
        ("under", "0.75 to 0.80: 2"),
        ("over", "0.80 to 0.85: 3"),
    ]
    assert chart.line is not None
    assert chart.line.label == "threshold 0.8"
    assert chart.line.at == pytest.approx(34 + 0.8 * 320)
    assert toxicity_chart("user", counts, None).line is None


def test_no_message_makes_an_empty_chart() -> None:
    assert length_chart({}).boxes == ()
    assert toxicity_chart("user", [0] * 20, 0.5).boxes == ()


def test_ranges_are_written_out() -> None:
    assert [length_range(i) for i in (0, 1, 2, 9, len(LENGTH_EDGES))] == [
        "0",
        "1",
        "2 to 4",
        "500 to 999",
        "100,000 or more",
    ]
