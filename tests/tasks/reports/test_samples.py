import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.samples import LONGEST_HIT, content_at, cut_sample


def test_window_counts_code_points_and_keeps_words_whole() -> None:
    content = "🔥" * 10 + " " + "warm words " * 8 + "circle back" + " and more of them" * 5
    start = content.index("circle back")
    sample = cut_sample("m", "user", content, start, start + 11)
    assert sample.hit == "circle back"
    assert sample.before == "warm words " * 4
    assert sample.after == " and more of them and more of them and more"
    assert (sample.cut_before, sample.cut_after) == (True, True)


def test_whole_short_message_is_not_cut_and_spaces_fold() -> None:
    sample = cut_sample("m", "user", "so\n\n  I hear\tyou", 6, 16)
    assert (sample.before, sample.hit, sample.after) == ("so ", "I hear you", "")
    assert (sample.cut_before, sample.cut_after) == (False, False)


def test_spans_outside_the_text_are_clipped() -> None:
    sample = cut_sample("m", "user", "short", -4, 99)
    assert (sample.before, sample.hit, sample.after) == ("", "short", "")
    assert cut_sample("m", "user", "short", 3, 1).hit == ""


def test_endless_words_are_cut() -> None:
    sample = cut_sample("m", "user", "x" * 100_000, 50_000, 90_000)
    assert len(sample.hit) == LONGEST_HIT + 1
    assert len(sample.before) == len(sample.after) == 40


def test_bytes_that_are_not_text_are_replaced() -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\x03\0\0\0"), pa.py_buffer(b"a\xffb")
    column = pa.Array.from_buffers(pa.string(), 1, [None, offsets, data])
    assert content_at(column, 0) == "a\ufffdb"


@settings(derandomize=True, max_examples=60)
@given(content=st.text(max_size=300), start=st.integers(0, 300), length=st.integers(0, 60))
def test_windows_come_from_the_text_and_stay_small(content: str, start: int, length: int) -> None:
    sample = cut_sample("m", "user", content, start, start + length)
    assert len(sample.before) <= 50
    assert len(sample.after) <= 50
    window = sample.before + sample.hit + sample.after
    assert "".join(window.split()) in "".join(content.split())
