"""The generated corpus holds what the figures are judged by."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.synthetic import BLOCK, SHARES, generate, generate_blocks


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    return pa.concat_tables(generate_blocks(12_000, 5))


def test_kinds_come_in_their_shares_and_texts_have_their_length(corpus: pa.Table) -> None:
    kinds = Counter(corpus["kind"].to_pylist())
    for kind, share in SHARES.items():
        assert kinds[kind] / corpus.num_rows == pytest.approx(share, abs=0.01)
    lengths = [len(text) for text in corpus["text"].to_pylist()]
    assert 750 < sum(lengths) / len(lengths) < 850
    assert len(set(corpus["id"].to_pylist())) == corpus.num_rows


def test_copies_are_what_their_kind_says(corpus: pa.Table) -> None:
    rows = {row["id"]: row for row in corpus.to_pylist()}
    untouched = 0
    for row in rows.values():
        if row["kind"] == "original":
            assert row["parent"] is None
            continue
        parent, words = rows[row["parent"]], Counter(row["text"].split())
        assert parent["kind"] == "original"
        common = sum((words & Counter(parent["text"].split())).values()) / len(parent["text"].split())
        if row["kind"] == "exact":
            untouched += row["text"] == parent["text"]
            assert row["text"].casefold().split() == parent["text"].casefold().split()
        elif row["kind"] == "near":
            assert row["text"] != parent["text"]
            assert 0.9 * (1 - row["rate"]) - 0.02 <= common
        else:
            assert 0.4 < common < 0.95
    assert 0.4 < untouched / sum(row["kind"] == "exact" for row in rows.values()) < 0.6


def test_edits_are_within_one_to_ten_of_a_hundred_words(corpus: pa.Table) -> None:
    near = [row for row in corpus.to_pylist() if row["kind"] == "near"]
    long = [row["rate"] for row in near if len(row["text"].split()) > 100]
    assert min(long) > 0.005
    assert max(long) < 0.105
    assert 0.045 < sum(long) / len(long) < 0.065


def test_romanian_comes_with_and_without_diacritics(corpus: pa.Table) -> None:
    texts = corpus["text"].to_pylist()
    marked = sum(any(unicodedata.combining(c) for c in unicodedata.normalize("NFD", t)) for t in texts)
    assert 0.15 < marked / len(texts) < 0.35
    assert any(" asa " in text and "ș" not in text for text in texts)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    files = [generate(600, seed, tmp_path / name) for seed, name in ((1, "a"), (1, "b"), (2, "c"))]
    one, same, other = ([file.read_bytes() for file in some] for some in files)
    assert one == same
    assert one != other


def test_parents_may_stand_in_earlier_files(tmp_path: Path) -> None:
    files = generate(BLOCK + 1_000, 3, tmp_path)
    first, second = (pq.read_table(file) for file in files)
    own = set(second["id"].to_pylist())
    parents = [parent for parent in second["parent"].to_pylist() if parent]
    assert any(parent not in own for parent in parents)
    assert set(parents) <= own | set(first["id"].to_pylist())
