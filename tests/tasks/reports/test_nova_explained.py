"""The page of a text that a NOVA took apart, drawn from numbers of this file's own."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tribal.explaining import Explanation
from tasks.reports.heatmap import EMBER, heatmap
from tasks.reports.nova_explained import render_explanation
from tasks.reports.token_charts import (
    LABEL,
    NARROW,
    PLOT,
    short_label,
    signed_chart,
    stacked_chart,
    told_share,
)
from tests.tasks.reports.explanations import HOSTILE, explained


def test_nothing_of_the_text_or_of_a_name_is_markup() -> None:
    page = render_explanation(explained([HOSTILE, '"><img src=x>'], ["nova", HOSTILE]), HOSTILE, "user", 1, 1)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_characters_that_turn_or_hide_text_are_shown() -> None:
    page = render_explanation(
        explained(["a\u202eb", "\x1b[2J", "\u200b"], ["nova", "sora"]), "x", "none", 1, 1
    )
    assert not re.search("[\u202e\u200b\x1b]", page)
    assert "‹U+202E›" in page


def test_the_page_asks_nobody_for_anything() -> None:
    page = render_explanation(explained(["a"], ["nova", "sora"]), "x", "assistant", 1, 2)
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert "default-src 'none'" in page


def test_the_chosen_map_is_the_one_that_is_shown_large() -> None:
    page = render_explanation(explained(list("abc"), ["nova", "sora"], heads=3), "x", "assistant", 1, 3)
    radios = re.findall(r'<input type="radio" name="map" id="([^"]+)"( checked)?>', page)
    assert radios == [("map-0-1", ""), ("map-1-1", ""), ("map-1-2", ""), ("map-1-3", " checked")]
    for anchor, _ in radios:  # one picture, for the small map and for the large one
        assert page.count(f".{anchor}, .maps:has(#{anchor}:checked) .stage") == 1


def test_a_long_text_is_cut_in_the_maps_and_says_so() -> None:
    page = render_explanation(explained([f"t{n}" for n in range(200)], ["nova", "sora"]), "x", "user", 1, 1)
    assert "the first 64 of 200 tokens" in page
    assert page.count('class="token"') == 400  # each has its label in both charts
    assert "tokens</b>; later" not in render_explanation(explained(["a"], ["nova"]), "x", "user", 1, 1)


def test_a_core_alone_and_one_that_detects_nothing_have_their_words() -> None:
    alone = explained(["a"], ["nova"])
    assert "nobody resonates" in render_explanation(alone, "x", "user", 1, 1)
    uniform = Explanation(**{**vars(alone), "attribution": None})
    assert "there is nothing to be traced" in render_explanation(uniform, "x", "user", 1, 1)


def test_who_speaks_is_said_only_of_who_stands_out() -> None:
    text = explained(["a"], ["nova", "sora", "lumin", "sophia", "samanta"])
    even = {name: 0.2 + 0.001 * number for number, name in enumerate(text.members, -2)}
    page = render_explanation(Explanation(**{**vars(text), "mean": even}), "x", "user", 1, 1)
    assert "Nobody stands out: samanta has 20%, sophia has 20% of the weight." in page
    sora = {**even, "sora": 0.6, "nova": 0.1, "lumin": 0.1, "sophia": 0.1, "samanta": 0.1}
    page = render_explanation(Explanation(**{**vars(text), "mean": sora}), "x", "user", 1, 1)
    assert "Mostly sora, with 60% of the weight; then nova with 10%." in page


def test_the_page_is_well_formed_for_many_members() -> None:
    members = [f"m{number}" for number in range(12)]
    page = render_explanation(explained(list("abcdef"), members), "x", "user", 1, 1)
    assert balance(page) == []
    assert all(f".s{number} {{ --c:" in page for number in range(12))
    assert page == render_explanation(explained(list("abcdef"), members), "x", "user", 1, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=40))
def test_stacked_columns_are_as_high_as_the_plot(rows: list[list[float]]) -> None:
    alpha = np.array(rows) / np.array(rows).sum(-1, keepdims=True)
    chart = stacked_chart(["t"] * len(rows), alpha, ["a", "b", "c"])
    assert chart.step >= NARROW
    for column in chart.columns:
        bars = [bar for bar in chart.bars if bar.x == column.x]
        assert sum(bar.height for bar in bars) == pytest.approx(PLOT, abs=0.4)
        assert len({bar.series for bar in bars}) == len(bars)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40))
def test_signed_bars_stand_on_their_side_of_the_axis(values: list[float]) -> None:
    chart = signed_chart(["t"] * len(values), values, 2, "x")
    most = max(map(abs, values)) or 1
    for bar, value in zip(chart.bars, values, strict=True):
        assert bar.height == pytest.approx(PLOT / 2 * abs(value) / most, abs=0.1)
        assert (bar.y < chart.zero) == (value > 0 and bar.height > 0)
        assert bar.series == (2 if value > 0 else -1)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-9, 10))
def test_the_sign_of_the_grid_is_on_the_canvas(most: float) -> None:
    chart = signed_chart(["t", "u"], [most, -most / 2], 1, "x")
    wide = 6.6  # of a letter of 11 pixels, at most
    assert all(chart.left - 5 - wide * len(label) >= 0 for _, label in chart.lines)


def test_a_whole_label_fits_beside_a_map() -> None:
    page = render_explanation(explained(["<|assistant|>"], ["nova", "sora"]), "x", "assistant", 1, 1)
    letters = re.search(r"--f:([\d.]+)px", page)
    place = re.search(r"grid-template-columns: minmax\(0, (\d+)px\)", page)
    assert letters is not None
    assert place is not None
    assert round(0.602 * float(letters[1])) * LABEL <= int(place[1])  # letters stand on whole pixels


def test_a_small_share_is_not_told_as_none() -> None:
    assert [told_share(share) for share in (0, 1e-6, 0.0004, 0.0006, 0.12, 0.9999, 1)] == [
        "0%", "<0.1%", "<0.1%", "0.1%", "12%", "99.9%", "100%",
    ]  # fmt: skip


def test_labels_are_short_and_blanks_can_be_seen() -> None:
    assert short_label(" focul") == "focul"
    assert short_label(" focul", keep=True) == "␣focul"
    assert (short_label(" "), short_label("\n")) == ("␣", "⏎")
    assert short_label("x" * 99) == "x" * (LABEL - 1) + "…"


def test_a_heatmap_is_the_root_of_the_shares_as_opacity() -> None:
    shares = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]])
    chunks = png_chunks(base64.b64decode(heatmap(shares).removeprefix("data:image/png;base64,")))
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (3, 2)
    assert (chunks[b"tRNS"], chunks[b"PLTE"]) == (bytes(range(256)), bytes(EMBER) * 256)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(2, 4)[:, 1:]
    np.testing.assert_allclose((lines / 255) ** 2, shares, atol=0.005)


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    return chunks


def balance(page: str) -> list[str]:
    """Tags that are left open, or closed without having been opened."""
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: object) -> None:
            if tag not in ("meta", "input", "br"):
                open_tags.append(tag)

        def handle_startendtag(self, tag: str, attributes: object) -> None:
            return

        def handle_endtag(self, tag: str) -> None:
            if open_tags and open_tags[-1] == tag:
                open_tags.pop()
            else:
                open_tags.append(f"/{tag}")

    Reader().feed(page)
    return open_tags
